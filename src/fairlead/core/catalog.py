"""Nodes and their checks, as far as sessions need them.

Node names are found without regard to case, as in Consul.
"""

from __future__ import annotations

from msgspec import structs

from fairlead.core.commands import CatalogRegister
from fairlead.core.draft import Draft

__all__ = ["check_key", "register"]


def check_key(node: str, check_id: str) -> str:
    """The key of a check's row; no name can hold a tab."""
    return f"{node.lower()}\t{check_id}"


def register(draft: Draft, command: CatalogRegister) -> bool:
    """Always true; rows that are there already and equal stay untouched."""
    index = draft.next_index
    key = command.node.node.lower()
    old = draft.nodes.get(key)
    created = old.create_index if old is not None else index
    node = structs.replace(command.node, create_index=created, modify_index=index)
    if old is None or structs.replace(node, modify_index=old.modify_index) != old:
        draft.nodes.put(key, node)
    for check in command.checks:
        key = check_key(check.node, check.check_id)
        before = draft.checks.get(key)
        created = before.create_index if before is not None else index
        row = structs.replace(check, create_index=created, modify_index=index)
        if before is None or structs.replace(row, modify_index=before.modify_index) != before:
            draft.checks.put(key, row)
    return True

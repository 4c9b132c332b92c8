"""The rows that servers write about themselves, which a state brought from elsewhere cannot know.

A snapshot names the servers of the cluster it was made of. Where it is restored
others may run, and these stay who they are.

Rule: pure.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fairlead.agent.cluster.identity import is_server
from fairlead.core import codec
from fairlead.core.keys import check_key, service_key
from fairlead.core.rows import MemberRow
from fairlead.core.state import State
from fairlead.engines import Contents, StoredRow

__all__ = ["server_nodes", "servers_own", "with_servers_of"]

_SERVICE = "consul"
_HEALTH = "serfHealth"


def server_nodes(state: State) -> set[str]:
    """The keys of the nodes that are servers, or were."""
    service = service_key("", _SERVICE)
    nodes = {key.removesuffix(service) for key in state.services.rows if key.endswith(service)}
    members = state.members.rows.items()
    return nodes | {key for key, member in members if is_server(member)}


def servers_own(nodes: Collection[str]) -> set[tuple[str, str]]:
    """Table and key of what the servers on these nodes register of themselves."""
    return {
        own
        for node in nodes
        for own in (
            ("nodes", node),
            ("services", service_key(node, _SERVICE)),
            ("checks", check_key(node, _HEALTH)),
            ("coordinates", node),
        )
    }


def with_servers_of(state: State, own: str, contents: Contents) -> Contents:
    """`contents` with the servers that `state` names in the place of those it names itself.

    `own` is the key of the node of the server that asks.
    """
    kept = {("members", key): row for key, row in state.members.rows.items() if is_server(row)}
    nodes = {own, *(key for _, key in kept)}
    kept |= {("wan_servers", key): row for key, row in state.wan_servers.rows.items()}
    for table, key in servers_own(nodes):
        row: Any = state.tables[table].rows.get(key)
        if row is not None:
            kept[table, key] = row
    rows = {(row.table, row.key): row for row in contents.rows if not _is_about_a_server(row)}
    for (table, key), row in kept.items():
        rows[table, key] = StoredRow(table, key, codec.encode_json(row))
    ordered = [rows[name] for name in sorted(rows)]
    return Contents(contents.index, ordered, contents.tables)


def _is_about_a_server(row: StoredRow) -> bool:
    if row.table == "wan_servers":
        return True
    if row.table != "members":
        return False
    try:
        return is_server(codec.decode_json(row.text, MemberRow))
    except codec.DECODE_ERRORS:
        # What it is, the store will say.
        return False

"""One index per service: what a blocking read of a service waits for.

Whatever changes what a read of a service would show (its instances, their
checks, the nodes they run on) raises the index of that service alone, so that
nobody who watches another one is woken. A name without instances has no row;
then the index of the last service that vanished stands in for it.
Source: `agent/consul/state/catalog.go` of Consul 1.8, "service.<name>".
"""

from __future__ import annotations

from fairlead.core.draft import Draft
from fairlead.core.keys import node_prefix
from fairlead.core.reads import Watch
from fairlead.core.rows import MarkRow
from fairlead.core.state import State

__all__ = [
    "VANISHED",
    "absent_index",
    "raise_index",
    "raise_node",
    "service_index",
    "service_watch",
    "settle_name",
]

VANISHED = "service_vanished"


def raise_index(draft: Draft, name: str) -> None:
    """Something about this service changes with the command being decided."""
    key = name.lower()
    old = draft.service_indexes.get(key)
    if old is None or old.index != draft.next_index:
        draft.service_indexes.put(key, MarkRow(name, draft.next_index))


def raise_node(draft: Draft, node: str) -> None:
    """Something about a node changes: it concerns every service that runs there."""
    for row in draft.services.scan(node_prefix(node)):
        raise_index(draft, row.service.service)


def settle_name(draft: Draft, name: str) -> None:
    """An instance is gone: raise the index, or forget it with the last instance."""
    key = name.lower()
    if draft.services.group(key):
        raise_index(draft, name)
    elif draft.service_indexes.get(key) is not None:
        draft.service_indexes.delete(key)
        draft.marks.put(VANISHED, MarkRow(VANISHED, draft.next_index))


def service_index(state: State, name: str) -> int:
    """The index a read of this service reports."""
    row = state.service_indexes.rows.get(name.lower())
    if row is not None:
        return state.floor(row.index)
    return absent_index(state)


def absent_index(state: State) -> int:
    """The index a read of a service that has no instances reports."""
    return state.floor(state.mark(VANISHED) or max(state.nodes.index, state.services.index))


def service_watch(name: str) -> Watch:
    """What a read of this service waits on."""
    return Watch("service_indexes", name.lower(), False)

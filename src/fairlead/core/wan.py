"""The servers of other datacenters: who is known, and how they are.

A server is called `node.dc` here, as two datacenters may have nodes of one name.
"""

from __future__ import annotations

from fairlead.core.commands import WanRemove, WanSet
from fairlead.core.draft import Draft
from fairlead.core.keys import node_key
from fairlead.core.members import LEFT
from fairlead.core.rows import MemberRow
from fairlead.core.state import State

__all__ = ["datacenter_of", "known_datacenters", "remove_server", "servers_of", "set_server"]


def set_server(draft: Draft, command: WanSet) -> None:
    key = node_key(command.member.name)
    if draft.wan_servers.get(key) != command.member:
        draft.wan_servers.put(key, command.member)


def remove_server(draft: Draft, command: WanRemove) -> bool:
    """Whether there was one."""
    key = node_key(command.name)
    if draft.wan_servers.get(key) is None:
        return False
    draft.wan_servers.delete(key)
    return True


def datacenter_of(name: str) -> str:
    """The datacenter of a server; empty for what is no such name.

    >>> datacenter_of("n1.dc2"), datacenter_of("a.b.dc2"), datacenter_of("n1")
    ('dc2', 'dc2', '')
    """
    node, _, datacenter = name.rpartition(".")
    return datacenter if node else ""


def servers_of(state: State, datacenter: str) -> list[MemberRow]:
    """The servers of another datacenter, by name; those that left among them."""
    rows = state.wan_servers.rows
    return [rows[key] for key in sorted(rows) if datacenter_of(rows[key].name) == datacenter]


def known_datacenters(state: State) -> set[str]:
    """The other datacenters that have a server which did not leave."""
    rows = state.wan_servers.rows.values()
    return {datacenter_of(row.name) for row in rows if row.status != LEFT}

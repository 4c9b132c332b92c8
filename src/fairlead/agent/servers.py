"""The servers of this datacenter, as operators ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from fairlead.agent.cluster.identity import is_server, own_member, server_address
from fairlead.core.keys import node_key
from fairlead.core.members import LEFT, STATUS_NAMES

if TYPE_CHECKING:
    from fairlead.agent.agent import Agent

__all__ = ["Server", "servers"]


class Server(Struct, frozen=True):
    """One of them; `status` is its member's: alive or failed."""

    id: str
    node: str
    address: str
    status: str
    leads: bool


def servers(agent: Agent) -> list[Server]:
    """All that have not left, this one among them, by name."""
    own = own_member(agent.settings, agent.node)
    members = agent.store.state.members.rows
    rows = {key: row for key, row in members.items() if is_server(row) and row.status != LEFT}
    rows[node_key(own.name)] = own
    leader = agent.store.leader
    leader_id = agent.node.id if agent.store.following is None else (leader.id if leader else "")
    found = []
    for key in sorted(rows):
        row = rows[key]
        node_id = row.tags.get("id", "")
        address = server_address(row)
        leads = bool(leader_id) and node_id == leader_id
        found.append(Server(node_id, row.name, address, STATUS_NAMES[row.status], leads))
    return found

"""How each server is, as the one that leads sees it.

A server that follows is well while its link to the leader holds, its heartbeats
come, its memory keeps up with the leader's, and its etcd can be reached. How
late and how far behind it may be, operators say (`core/autopilot.py`).
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.cluster.standings import Standing, Standings
from fairlead.agent.peers import Peer, peers
from fairlead.core import heartbeats
from fairlead.core.autopilot import autopilot
from fairlead.core.keys import node_key
from fairlead.core.rows import AutopilotRow
from fairlead.durations import SECOND_NS

__all__ = ["Health", "ServerHealth", "health"]

_ALIVE = "alive"
# Two beats may be a little late.
_LATE = 1.5


class ServerHealth(Struct, frozen=True):
    """One server's; `contact_ns` is how long ago it was heard of, -1: never."""

    peer: Peer
    is_healthy: bool
    contact_ns: int
    index: int
    since_ns: int


class Health(Struct, frozen=True):
    """All servers'; `tolerance` is how many may be lost before nobody can write."""

    is_healthy: bool
    tolerance: int
    servers: list[ServerHealth]


async def health(agent: Agent) -> Health:
    """Asked at the server that leads."""
    found = [_server(agent, peer) for peer in await peers(agent, knock=True)]
    well = sum(server.is_healthy and server.peer.is_voter for server in found)
    voters = sum(server.peer.is_voter for server in found)
    # Where others run the etcd, any one server is enough.
    needed = 1 if _is_elsewhere(agent) else voters // 2 + 1
    everybody = bool(found) and all(server.is_healthy for server in found)
    return Health(everybody, max(well - needed, 0), found)


def _is_elsewhere(agent: Agent) -> bool:
    return agent.store.following is not None and agent.supervisor is None


def _server(agent: Agent, peer: Peer) -> ServerHealth:
    server = peer.server
    if node_key(server.node) == node_key(agent.node.node):
        return ServerHealth(peer, True, 0, agent.store.state.index, agent.started_ns)
    cluster = agent.cluster
    assert isinstance(cluster, ServerCluster), "clients lead nobody"
    standings = cluster.links.standings
    standing = standings.get(node_key(server.node))
    if standing is None:
        return ServerHealth(peer, False, -1, 0, agent.started_ns)
    contact_ns = standings.silence_ns(standing)
    is_healthy = (
        server.status == _ALIVE
        and peer.is_voter
        and peer.is_reachable is not False
        and _keeps_up(agent, cluster, standings, standing)
    )
    return ServerHealth(peer, is_healthy, contact_ns, standing.index, standing.since_ns)


def _keeps_up(
    agent: Agent, cluster: ServerCluster, standings: Standings, standing: Standing
) -> bool:
    config: AutopilotRow = autopilot(agent.store.state)
    interval_s = heartbeats.interval_s(cluster.links.membership.alive)
    limit_ns = int(interval_s * _LATE * SECOND_NS) + config.last_contact_threshold_ns
    return (
        standing.linked
        and standings.silence_ns(standing) <= limit_ns
        and standing.behind <= config.max_trailing_logs
    )

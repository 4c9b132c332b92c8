"""The servers as operators see them: who has a vote, who is lost, and removing one for good.

Where the servers run an etcd themselves, its members are the peers: one that is
lost is among them, and counts for the majority, until it is removed. Elsewhere
they are the servers that say so of themselves.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.cluster.identity import is_server, server_address
from fairlead.agent.servers import Server, servers
from fairlead.core.keys import node_key
from fairlead.core.members import STATUS_NAMES
from fairlead.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from fairlead.agent.agent import Agent
    from fairlead.agent.etcd.members import Member

__all__ = ["Peer", "forget", "peers", "remove_peer"]

log = logging.getLogger("agent.server")

_ALIVE = "alive"


class Peer(Struct, frozen=True):
    """A server with, where there are such, the etcd member it runs.

    `is_reachable` is None unless it was asked.
    """

    server: Server
    is_voter: bool = True
    member_id: str = ""
    is_reachable: bool | None = None


async def peers(agent: Agent, *, knock: bool = False) -> list[Peer]:
    """All of them, by name; with `knock`, each etcd member is looked for, 2 s at most."""
    known = servers(agent)
    if agent.supervisor is None:
        return [Peer(server) for server in known]
    members = agent.supervisor.members
    try:
        found = await (members.health() if knock else members.all())
    except UnavailableError as error:
        log.warning("the members of etcd cannot be asked for: why=%s", error)
        return [Peer(server) for server in known]
    by_node = {node_key(server.node): server for server in known}
    return [
        Peer(
            by_node.get(member.node) or _lost(agent, member),
            member.is_voter,
            member.id,
            member.is_reachable,
        )
        for member in found
    ]


def _lost(agent: Agent, member: Member) -> Server:
    """A member whose server has left, is forgotten, or has not come yet."""
    row = agent.store.state.members.rows.get(member.node)
    if row is not None and is_server(row):
        status = STATUS_NAMES[row.status]
        return Server(row.tags.get("id", ""), row.name, server_address(row), status, False)
    parts = urlsplit(member.url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return Server(member.id, member.node, f"{host}:{parts.port}", "none", False)


async def remove_peer(agent: Agent, peer_id: str, address: str) -> None:
    """Forget a server that is gone for good: its vote, its member row, its node.

    Raises:
        InvalidError: there is none of that id or address, or it lives.
        UnavailableError: etcd does not remove it; it says why.
    """
    if _is_own(agent, peer_id, address):
        raise InvalidError(_own(agent))
    peer = _find(await peers(agent, knock=True), peer_id, address)
    if peer is None:
        # It may have no vote any more.
        peer = _find([Peer(server) for server in servers(agent)], peer_id, address)
    if peer is None:
        what = f'id "{peer_id}"' if peer_id else f'address "{address}"'
        raise InvalidError(f"{what} was not found in the Raft configuration")
    if _lives(peer):
        name = peer.server.node or peer.server.address
        raise InvalidError(f'server "{name}" is alive: stop it first, with "fairlead leave" on it')
    await forget(agent, peer)


async def forget(agent: Agent, peer: Peer) -> None:
    """Take its vote and its rows, whoever it is.

    Raises:
        UnavailableError: etcd does not remove it; it says why.
    """
    if peer.member_id and agent.supervisor is not None:
        try:
            await agent.supervisor.members.remove(peer.member_id)
        except UnavailableError as error:
            name = peer.server.node or peer.server.address
            raise UnavailableError(f'server "{name}" cannot be removed: {error}') from error
    cluster = agent.cluster
    assert isinstance(cluster, ServerCluster), "it leads"
    if node_key(peer.server.node) in agent.store.state.members.rows:
        await cluster.force_leave(peer.server.node, prune=True)
    log.warning("a server was removed: node=%s address=%s", peer.server.node, peer.server.address)


def _is_own(agent: Agent, peer_id: str, address: str) -> bool:
    own = next(server for server in servers(agent) if server.node == agent.node.node)
    return peer_id == own.id if peer_id else address in (own.address, agent.server_address)


def _own(agent: Agent) -> str:
    if agent.store.following is None:
        return "the only server cannot be removed"
    return (
        f'server "{agent.node.node}" leads: stop it first, with "fairlead leave" on it; '
        "another one takes the lead"
    )


def _find(found: list[Peer], peer_id: str, address: str) -> Peer | None:
    def fits(peer: Peer) -> bool:
        server = peer.server
        return peer_id in (server.id, peer.member_id) if peer_id else address == server.address

    return next((peer for peer in found if fits(peer)), None)


def _lives(peer: Peer) -> bool:
    """Just killed, it counts as alive for a few seconds: then its etcd tells the truth."""
    if peer.member_id and not peer.is_reachable:
        return False
    return peer.server.status == _ALIVE

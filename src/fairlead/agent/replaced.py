"""Lost servers make room for others (`CleanupDeadServers`), and are forgotten.

One that comes with the name or the address of a lost one replaces it at once
(`agent/etcd/admission.py`). etcd takes in one of another name only when all its
members are there, so a lost one is removed first. A server that only restarts is
never touched, for nobody has come in its place.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from fairlead.agent.peers import Peer, forget, peers
from fairlead.agent.servers import Server, servers
from fairlead.core.autopilot import autopilot
from fairlead.core.keys import node_key
from fairlead.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.agent.agent import Agent

__all__ = ["Replacements", "replaced", "voteless"]

log = logging.getLogger("agent.server")

_LOOK_S = 5.0
_GONE = ("failed", "left")


class Replacements:
    """Of one server among several that run their etcd themselves."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def make_room(self) -> bool:
        """A server wants in: whether a lost one was removed for it.

        Raises:
            UnavailableError: etcd does not remove it.
        """
        supervisor = self._agent.supervisor
        config = autopilot(self._agent.store.state)
        if supervisor is None or not config.cleanup_dead_servers:
            return False
        lost = replaced(await peers(self._agent, knock=True), config.min_quorum)
        if lost is None:
            return False
        log.warning("a lost server makes room for another: node=%s", lost.server.node)
        await supervisor.members.remove(lost.member_id)
        return True

    async def run(self) -> None:
        """As long as this server leads: forget those that have no vote any more."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self._agent.store.leads:
                continue
            try:
                for server in voteless(servers(self._agent), await peers(self._agent)):
                    log.warning("a server that was replaced is forgotten: node=%s", server.node)
                    await forget(self._agent, Peer(server))
            except FairleadError as error:
                log.warning("a server cannot be forgotten yet: why=%s", error)


def replaced(found: list[Peer], min_quorum: int) -> Peer | None:
    """The lost server that can go for another one to come; None when there is none.

    Those that are well are a majority, and with the other one at least `min_quorum`.
    """
    voters = [peer for peer in found if peer.is_voter]
    lost = [peer for peer in voters if peer.server.status in _GONE and not peer.is_reachable]
    well = [peer for peer in voters if peer.server.status == "alive" and peer.is_reachable]
    if not lost or len(well) <= len(voters) // 2 or len(well) + 1 < min_quorum:
        return None
    return lost[0]


def voteless(known: list[Server], found: list[Peer]) -> list[Server]:
    """Servers that failed and are no members of etcd: they can only come back as new ones."""
    members = {node_key(peer.server.node) for peer in found if peer.member_id}
    return [
        server
        for server in known
        if members and server.status in _GONE and node_key(server.node) not in members
    ]

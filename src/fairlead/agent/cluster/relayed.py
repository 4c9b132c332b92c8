"""The members as a server keeps them that follows: what it hears, the leader is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fairlead import errors
from fairlead.agent.cluster import frames
from fairlead.agent.cluster.leadership import Leadership
from fairlead.agent.cluster.membership import Membership, is_whole
from fairlead.core import heartbeats
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE
from fairlead.core.rows import MemberRow, NodeRow
from fairlead.errors import FairleadError, UnavailableError
from fairlead.store import Store

__all__ = ["RelayedMembership"]

_REPORT_S = 0.5
# Less than a client agent waits to be let in.
_PATIENCE_S = 3.0
_ERRORS = {name: getattr(errors, name) for name in errors.__all__}


class RelayedMembership:
    """`Members`, over the link to the leader."""

    def __init__(self, store: Store, leadership: Leadership, membership: Membership) -> None:
        self._store = store
        self._leadership = leadership
        self._link = leadership.link
        self._membership = membership
        self._heard: set[str] = set()
        self._broke: set[str] = set()

    @property
    def interval_s(self) -> float:
        members = self._store.state.members.rows.values()
        return heartbeats.interval_s(sum(member.status == ALIVE for member in members))

    async def join(self, node: NodeRow, member: MemberRow) -> None:
        """Ask the leader; without one, an agent that the tables know may come in all the same.

        Raises:
            FairleadError: it is not taken in.
        """
        try:
            if await self._leadership.ready(_PATIENCE_S):
                await self._membership.join(node, member)
            else:
                await self._call(lambda call: frames.Enlist(call, node, member))
        except UnavailableError:
            known = self._store.state.nodes.rows.get(node_key(node.node))
            if known is None or known.id.lower() != node.id.lower():
                raise
        self.beat(node_key(node.node))

    async def leave(self, name: str) -> None:
        self._heard.discard(node_key(name))
        if await self._leadership.ready(_PATIENCE_S):
            await self._membership.leave(name)
        else:
            await self._call(lambda call: frames.Depart(call, name))

    def beat(self, key: str) -> None:
        self._heard.add(key)

    def broke(self, key: str) -> None:
        self._heard.discard(key)
        self._broke.add(key)

    def is_whole(self, key: str) -> bool:
        return is_whole(self._store.state, key)

    async def run(self) -> None:
        """Report, for ever."""
        while True:
            await asyncio.sleep(_REPORT_S)
            if self._link.is_up and (self._heard or self._broke):
                self._link.send(frames.Report(sorted(self._heard), sorted(self._broke)))
                self._heard.clear()
                self._broke.clear()

    async def _call(self, frame: Callable[[int], frames.Enlist | frames.Depart]) -> None:
        answer = await self._link.call(frame, is_read=False)
        if isinstance(answer, frames.Failed):
            error: FairleadError = _ERRORS.get(answer.kind, FairleadError)(answer.text)
            raise error

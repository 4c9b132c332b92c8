"""What only the server that leads does: sessions that end, tombstones, members that fall silent.

A server without others leads for good. Among several, the duties are taken up with
the lead and laid down with it; whoever takes them up gives everybody the full time anew.
"""

from __future__ import annotations

import asyncio

from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.session_timers import SessionTimers
from fairlead.agent.tasks import Tasks
from fairlead.agent.tombstones import TombstoneReaper
from fairlead.clock import Clock
from fairlead.core.commands import Command, LockDelaysDrop, LockDelaysRestart
from fairlead.store import Store

__all__ = ["Duties"]

_LOCK_DELAYS_S = 0.5


class Duties:
    """Of one server."""

    def __init__(
        self,
        store: Store,
        sessions: SessionTimers,
        cluster: ServerCluster,
        clock: Clock,
        tombstone_ttl_ns: int,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._cluster = cluster
        self._clock = clock
        self._tombstone_ttl_ns = tombstone_ttl_ns
        self._tasks = Tasks()
        self._are_taken = False
        store.opening = self._opening

    def _opening(self) -> list[Command]:
        """Decided before anything else: the clock of the leader before may have been another."""
        return [LockDelaysRestart(self._clock.now_ns()), *self._cluster.opening()]

    def take_up(self) -> None:
        self._are_taken = True
        self._sessions.track_all()
        reaper = TombstoneReaper(self._store, self._clock, self._tombstone_ttl_ns)
        self._tasks.start("sessions", self._sessions.run)
        self._tasks.start("tombstones", reaper.run)
        if self._store.following is not None:
            self._tasks.start("lock delays", self._forget_lock_delays)
        self._cluster.lead(self._tasks)

    async def _forget_lock_delays(self) -> None:
        """One that is over must not begin again with the next leader."""
        while True:
            await asyncio.sleep(_LOCK_DELAYS_S)
            now_ns = self._clock.now_ns()
            rows = self._store.state.lock_delays.rows.values()
            if any(row.until_ns <= now_ns for row in rows):
                await self._store.submit(LockDelaysDrop(now_ns))

    async def stop(self) -> None:
        self._are_taken = False
        await self._tasks.stop()

    async def run(self) -> None:
        """Go by the role of this server, for ever."""
        following = self._store.following
        while following is not None:
            if self._store.leads and not self._are_taken:
                self.take_up()
            elif not self._store.leads and self._are_taken:
                await self.stop()
                continue
            await following.role_changed()

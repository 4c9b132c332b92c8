"""What only the server that leads does: sessions that end, tombstones, members that fall silent.

A server without others leads for good. Among several, the duties are taken up with
the lead and laid down with it; whoever takes them up gives everybody the full time anew.
"""

from __future__ import annotations

from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.session_timers import SessionTimers
from fairlead.agent.tasks import Tasks
from fairlead.agent.tombstones import TombstoneReaper
from fairlead.clock import Clock
from fairlead.core.commands import Command, LockDelaysRestart
from fairlead.store import Store

__all__ = ["Duties"]


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
        self._cluster.lead(self._tasks)

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

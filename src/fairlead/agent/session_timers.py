"""Session TTLs: a session that is not renewed in time is destroyed.

It dies at twice its TTL, as Consul's do: the TTL is a promise that it lives at
least so long. The timers are this server's alone; when it starts, or its state
is replaced, every session gets its full time again.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable

from fairlead.clock import Clock
from fairlead.core.commands import SessionDestroy
from fairlead.core.rows import SessionRow
from fairlead.durations import parse_duration
from fairlead.store import Store

__all__ = ["GRACE", "SessionTimers"]

GRACE = 2
_TICK_S = 0.2


class SessionTimers:
    """When each session with a TTL is due."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._deadlines: dict[str, int] = {}
        # One entry a session; one that was renewed is put back when it comes up.
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._deadlines)

    def track(self, session: SessionRow) -> None:
        """Give a session its full time from now; one without a TTL needs none."""
        if not session.ttl:
            return
        ttl_ns = parse_duration(session.ttl)
        if not ttl_ns:
            return
        deadline = self._clock.monotonic_ns() + GRACE * ttl_ns
        if session.id not in self._deadlines:
            heapq.heappush(self._heap, (deadline, session.id))
        self._deadlines[session.id] = deadline

    def track_all(self) -> None:
        """Start anew with the sessions there are."""
        self._deadlines.clear()
        self._heap.clear()
        for session in self._store.state.sessions.rows.values():
            self.track(session)

    def due(self) -> list[str]:
        """The ids whose time is over; they are forgotten."""
        now = self._clock.monotonic_ns()
        due = []
        while self._heap and self._heap[0][0] <= now:
            _, session_id = heapq.heappop(self._heap)
            deadline = self._deadlines[session_id]
            if deadline > now and session_id in self._store.state.sessions.rows:
                heapq.heappush(self._heap, (deadline, session_id))
                continue
            del self._deadlines[session_id]
            if session_id in self._store.state.sessions.rows:
                due.append(session_id)
        return due

    async def run(self) -> None:
        """Destroy sessions as they fall due."""
        while True:
            due = deque(self.due())
            try:
                while due:
                    await self._store.submit(SessionDestroy(due[0], self._clock.now_ns()))
                    due.popleft()
            finally:
                self._put_back(due)
            await asyncio.sleep(_TICK_S)

    def _put_back(self, session_ids: Iterable[str]) -> None:
        """Those that could not be destroyed are due at once, unless renewed meanwhile."""
        now = self._clock.monotonic_ns()
        for session_id in session_ids:
            if session_id not in self._deadlines:
                self._deadlines[session_id] = now
                heapq.heappush(self._heap, (now, session_id))

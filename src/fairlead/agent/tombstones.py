"""Forgetting tombstones once every reader had time to notice the deletions."""

from __future__ import annotations

import asyncio
from collections import deque

from fairlead.clock import Clock
from fairlead.core.commands import TombstonesReap
from fairlead.durations import SECOND_NS
from fairlead.store import Store

__all__ = ["TombstoneReaper"]

_GRANULARITY_S = 30
_LIMIT = 2_000


class TombstoneReaper:
    """Remembers at which time the state stood at which index."""

    def __init__(self, store: Store, clock: Clock, ttl_ns: int) -> None:
        self._store = store
        self._clock = clock
        self._ttl_ns = ttl_ns
        self._seen: deque[tuple[int, int]] = deque()

    def ripe(self) -> int:
        """The index up to which tombstones are old enough, 0 for none. Notes the present one."""
        now = self._clock.monotonic_ns()
        self._seen.append((now, self._store.state.index))
        index = 0
        while self._seen and self._seen[0][0] + self._ttl_ns <= now:
            index = self._seen.popleft()[1]
        return index

    async def run(self) -> None:
        step = min(_GRANULARITY_S, self._ttl_ns / SECOND_NS)
        while True:
            index = self.ripe()
            while index and await self._store.submit(TombstonesReap(index, _LIMIT)):
                await asyncio.sleep(0)
            await asyncio.sleep(step)

"""Coordinates on the server: its own, and those agents send, written in batches.

A coordinate is written when it has moved by enough to matter, and then with
all others that have, every few seconds: a quiet network writes nothing.
"""

from __future__ import annotations

import asyncio

from fairlead.agent.registry import Registry
from fairlead.clock import Clock
from fairlead.core.commands import CoordinatesUpdate
from fairlead.core.coordinates import DIMENSIONS
from fairlead.core.keys import node_key
from fairlead.core.rows import CoordinateRow, Position
from fairlead.core.vivaldi import Vivaldi, is_valid
from fairlead.durations import SECOND_NS
from fairlead.store import Store

__all__ = ["Positions", "chance", "has_moved"]

_BATCH_S = 5.0
_LEAST_MOVE_S = 0.0005
_LEAST_PART = 0.1


def chance(clock: Clock) -> list[float]:
    """A direction."""
    return [clock.jitter(2.0) - 1.0 for _ in range(DIMENSIONS)]


def has_moved(old: Position, new: Position) -> bool:
    """Whether estimates from `new` differ from those of `old` by more than half a millisecond,
    and by more than a tenth."""
    moved = sum(abs(a - b) for a, b in zip(old.vec, new.vec, strict=True))
    moved += abs(old.height - new.height) + abs(old.adjustment - new.adjustment)
    size = sum(abs(a) for a in old.vec) + old.height
    return moved > max(_LEAST_MOVE_S, _LEAST_PART * size)


class Positions:
    """What is known of where everybody stands."""

    def __init__(self, store: Store, registry: Registry, clock: Clock, own_name: str) -> None:
        self._store = store
        self._registry = registry
        self._clock = clock
        self._own_name = own_name
        self._own = Vivaldi()
        self._moved: dict[str, CoordinateRow] = {}

    @property
    def own(self) -> Position:
        return self._own.position

    def heard(self, name: str, position: Position | None, rtt_ns: int) -> None:
        """An agent stands there, and measured that round trip to this server."""
        if position is None or not is_valid(position):
            return
        if rtt_ns > 0:
            self._own.update(name, position, rtt_ns / SECOND_NS, chance(self._clock))
            self._note(self._own_name, self._own.position)
        self._note(name, position)

    def forget(self, name: str) -> None:
        self._own.forget(name)
        self._moved.pop(node_key(name), None)

    def _note(self, name: str, position: Position) -> None:
        key = node_key(name)
        row = self._store.state.coordinates.rows.get(key)
        if row is None or has_moved(row.coord, position):
            self._moved[key] = CoordinateRow(name, "", position)

    async def flush(self) -> None:
        """Write those that have moved."""
        if self._moved:
            rows, self._moved = list(self._moved.values()), {}
            await self._registry.submit(CoordinatesUpdate(rows))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_BATCH_S)
            await self.flush()

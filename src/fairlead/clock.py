"""Time, ids and chance: the only file that asks the world for them.

Times are integers of nanoseconds since 1970 (`_ns`), as on Consul's wire.
Tests hand a `FakeClock` to whatever wants a `Clock`.
"""

from __future__ import annotations

import random
import time
import uuid
from typing import Any, Protocol

from fairlead.durations import SECOND_NS

__all__ = ["Clock", "FakeClock", "SystemClock"]


class Clock(Protocol):
    """What the services need to know of the world."""

    def now_ns(self) -> int:
        """The wall clock, for what is stored or shown."""

    def monotonic_ns(self) -> int:
        """A clock nobody sets, for what must last a certain time."""

    def new_id(self) -> str:
        """A fresh UUID as text."""

    def jitter(self, limit: float) -> float:
        """A number from 0 to `limit`, uniformly."""

    def shuffle(self, items: list[Any]) -> None:
        """Put a list into a random order, in place."""


class SystemClock:
    """The real one."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def jitter(self, limit: float) -> float:
        return random.uniform(0.0, limit)

    def shuffle(self, items: list[Any]) -> None:
        random.shuffle(items)


class FakeClock:
    """Stands still until `advance`; its ids count up and its jitter is zero.

    >>> clock = FakeClock()
    >>> clock.advance(1.5)
    >>> clock.now_ns()
    1500000000
    >>> clock.new_id()
    '00000000-0000-4000-8000-000000000001'
    """

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._ids = 0

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_ns(self) -> int:
        return self._now_ns

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012d}"

    def jitter(self, limit: float) -> float:
        return 0.0

    def shuffle(self, items: list[Any]) -> None:
        """Leaves the order as it is."""

    def advance(self, seconds: float) -> None:
        """Move time forward."""
        self._now_ns += int(seconds * SECOND_NS)

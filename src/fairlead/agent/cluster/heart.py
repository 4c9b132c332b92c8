"""An agent's heartbeats: when the next is due, how long they travel, and where that puts it."""

from __future__ import annotations

from collections.abc import Callable

from fairlead.agent.cluster.frames import Beat, Pulse
from fairlead.agent.cluster.positions import chance
from fairlead.clock import Clock
from fairlead.core import heartbeats
from fairlead.core.vivaldi import Vivaldi
from fairlead.durations import SECOND_NS

__all__ = ["Heart"]

_LEAST_INTERVAL_S = 0.1


class Heart:
    """The beats of one agent towards its server."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.interval_s = 1.0
        self.vivaldi = Vivaldi()
        # What the memory of a server has, for the one that leads.
        self.index: Callable[[], int] = lambda: 0
        self._number = 0
        self._sent_ns = 0
        self._heard_ns = 0
        self._rtt_ns = 0

    def start(self, interval_ns: int) -> None:
        """A server took the agent in; it counts as heard of."""
        self._pace(interval_ns)
        self._heard_ns = self._clock.monotonic_ns()

    def beat(self) -> Beat:
        """The next one, sent now."""
        self._number += 1
        self._sent_ns = self._clock.monotonic_ns()
        return Beat(self._number, self._rtt_ns, self.vivaldi.position, self.index())

    def hear(self, pulse: Pulse, server: str) -> None:
        """The answer to one."""
        now = self._heard_ns = self._clock.monotonic_ns()
        self._pace(pulse.interval_ns)
        if pulse.number == self._number:
            self._rtt_ns = now - self._sent_ns
            direction = chance(self._clock)
            self.vivaldi.update(server, pulse.position, self._rtt_ns / SECOND_NS, direction)

    @property
    def is_silent(self) -> bool:
        """Whether the server has said nothing for too long."""
        silence_ns = self._clock.monotonic_ns() - self._heard_ns
        return silence_ns > heartbeats.silence_s(self.interval_s) * SECOND_NS

    def _pace(self, interval_ns: int) -> None:
        self.interval_s = max(interval_ns / SECOND_NS, _LEAST_INTERVAL_S)

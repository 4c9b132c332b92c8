"""How often agents say that they live, and after how much silence they count as dead.

The interval is that of the whole cluster: it grows with the number of agents,
so that a server hears no more than `BEATS_PER_S` of them in a second.

    interval = max(1 s, agents / 400)
    silence  = max(5 s, 3 intervals)

A dead agent of 1 000 is noticed after 7.5 s, one of 10 000 after 75 s.
"""

from __future__ import annotations

__all__ = ["BEATS_PER_S", "interval_s", "silence_s"]

BEATS_PER_S = 400
"""What a server hears at most; each costs it some 150 µs."""
_LEAST_INTERVAL_S = 1.0
_LEAST_SILENCE_S = 5.0
_MISSED = 3


def interval_s(agents: int) -> float:
    """The time from one heartbeat to the next in a cluster of so many agents.

    >>> interval_s(3), interval_s(1000), interval_s(10_000)
    (1.0, 2.5, 25.0)
    """
    return max(_LEAST_INTERVAL_S, agents / BEATS_PER_S)


def silence_s(interval: float) -> float:
    """How long nothing may be heard of an agent that beats every `interval` seconds.

    >>> silence_s(interval_s(3)), silence_s(interval_s(1000))
    (5.0, 7.5)
    """
    return max(_LEAST_SILENCE_S, _MISSED * interval)

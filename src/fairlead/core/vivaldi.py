"""Vivaldi: from measured round trips to coordinates whose distances estimate them.

Every measurement pulls a coordinate towards, or pushes it from, the one it was
measured against, by as much as both are trusted. The height stands for the way
to the core of the network, the adjustment for what the space cannot express:
the mean error of the last measurements.
Source: Dabek et al., "Vivaldi" (2004), section 5.4; the window of adjustments
and the constants are Serf's (`coordinate/config.go`).

Rule: chance comes in as `direction`, for two coordinates that coincide.
"""

from __future__ import annotations

from collections import deque

from msgspec import structs

from fairlead.core.coordinates import DIMENSIONS, distance_s
from fairlead.core.rows import Position

__all__ = ["ORIGIN", "Vivaldi", "is_valid"]

_ERROR_MAX = 1.5
_CE = 0.25
_CC = 0.25
_HEIGHT_MIN = 10.0e-6
_GRAVITY_RHO = 150.0
_ADJUSTMENT_WINDOW = 20
_LATENCY_FILTER = 3
# A round trip longer than this is a fault of the measurement.
_LONGEST_S = 10.0
_ZERO = 1.0e-6

ORIGIN = Position([0.0] * DIMENSIONS, _ERROR_MAX, 0.0, _HEIGHT_MIN)
"""Where everybody begins."""


def is_valid(position: Position) -> bool:
    """Whether all of it are numbers one can count with.

    >>> is_valid(ORIGIN), is_valid(Position([0.0], 1.5, 0.0, 0.0))
    (True, False)
    """
    numbers = (*position.vec, position.error, position.adjustment, position.height)
    finite = all(abs(number) < float("inf") for number in numbers)
    return finite and len(position.vec) == DIMENSIONS


class Vivaldi:
    """The coordinate of one node, and what it was learned from."""

    __slots__ = ("_errors", "_latencies", "position")

    def __init__(self) -> None:
        self.position = ORIGIN
        self._errors: deque[float] = deque([0.0] * _ADJUSTMENT_WINDOW, _ADJUSTMENT_WINDOW)
        self._latencies: dict[str, deque[float]] = {}

    def update(self, peer: str, other: Position, rtt_s: float, direction: list[float]) -> None:
        """Take in a round trip to `peer`, which stands at `other`; nonsense is ignored."""
        if not is_valid(other) or not 0 <= rtt_s <= _LONGEST_S:
            return
        rtt_s = max(self._filtered(peer, rtt_s), _ZERO)
        moved = _pulled(self.position, other, rtt_s, direction)
        self._errors.append(rtt_s - _raw_distance(moved, other))
        adjustment = sum(self._errors) / (2 * _ADJUSTMENT_WINDOW)
        moved = _with_gravity(structs.replace(moved, adjustment=adjustment), direction)
        self.position = moved if is_valid(moved) else ORIGIN

    def forget(self, peer: str) -> None:
        """The peer is gone."""
        self._latencies.pop(peer, None)

    def _filtered(self, peer: str, rtt_s: float) -> float:
        """The median of the last few, so that one slow answer moves nothing."""
        seen = self._latencies.setdefault(peer, deque(maxlen=_LATENCY_FILTER))
        seen.append(rtt_s)
        return sorted(seen)[len(seen) // 2]


def _pulled(here: Position, other: Position, rtt_s: float, direction: list[float]) -> Position:
    """`here` after one measurement."""
    distance = distance_s(here, other)
    wrongness = abs(distance - rtt_s) / rtt_s
    total_error = max(here.error + other.error, _ZERO)
    weight = here.error / total_error
    error = min(_CE * weight * wrongness + here.error * (1 - _CE * weight), _ERROR_MAX)
    force = _CC * weight * (rtt_s - distance)
    return _pushed(structs.replace(here, error=error), other, force, direction)


def _pushed(here: Position, other: Position, force: float, direction: list[float]) -> Position:
    """`here` moved by `force` away from `other`."""
    difference = [x - y for x, y in zip(here.vec, other.vec, strict=True)]
    length = _length(difference)
    height = here.height
    if length > _ZERO:
        unit = [x / length for x in difference]
        height = max((here.height + other.height) * force / length + here.height, _HEIGHT_MIN)
    else:
        # They coincide: any direction is as good.
        length = _length(direction)
        unit = [x / length for x in direction] if length > _ZERO else [1.0] + [0.0] * 7
    vec = [x + force * part for x, part in zip(here.vec, unit, strict=True)]
    return structs.replace(here, vec=vec, height=height)


def _with_gravity(here: Position, direction: list[float]) -> Position:
    """`here` a little nearer to the origin, so that the whole cloud does not drift away."""
    pull = -((_raw_distance(ORIGIN, here) / _GRAVITY_RHO) ** 2)
    return _pushed(here, ORIGIN, pull, direction)


def _raw_distance(a: Position, b: Position) -> float:
    """The distance without the adjustments."""
    return _length([x - y for x, y in zip(a.vec, b.vec, strict=True)]) + a.height + b.height


def _length(vector: list[float]) -> float:
    length: float = sum(x * x for x in vector) ** 0.5
    return length

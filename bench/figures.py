"""A measured figure, beside Consul's, and the target it is held against."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

__all__ = ["Figure", "Rounds", "Target", "at_least", "at_most", "at_most_times"]

Rounds = dict[str, list[float]]
"""What each peer reached, round by round."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bound of the ratio Fairlead : Consul, or of Fairlead's figure itself."""

    bound: float
    is_ratio: bool
    is_floor: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: medians, and the rounds they were taken from."""

    name: str
    title: str
    unit: str
    rounds: Rounds
    target: Target | None = None

    @property
    def fairlead(self) -> float:
        return median(self.rounds["Fairlead"])

    @property
    def consul(self) -> float | None:
        rounds = self.rounds.get("Consul")
        return median(rounds) if rounds else None

    @property
    def ratio(self) -> float | None:
        """Fairlead's figure in units of Consul's."""
        return self.fairlead / self.consul if self.consul else None

    @property
    def is_met(self) -> bool | None:
        """None without a target, or without a Consul to compare with."""
        target = self.target
        reached = self.ratio if target is not None and target.is_ratio else self.fairlead
        if target is None or reached is None:
            return None
        return reached >= target.bound if target.is_floor else reached <= target.bound


def at_least(times: float) -> Target:
    """At least this many times Consul's figure."""
    return Target(times, is_ratio=True, is_floor=True)


def at_most_times(times: float) -> Target:
    """At most this many times Consul's figure."""
    return Target(times, is_ratio=True, is_floor=False)


def at_most(bound: float) -> Target:
    """At most this, whatever Consul needs."""
    return Target(bound, is_ratio=False, is_floor=False)

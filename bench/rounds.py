"""Measuring the peers in turn, again where others disturbed it, and saying so meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

from bench.disturbance import Disturbance

__all__ = ["in_turn", "say", "undisturbed"]

# A turn during which others used more of the processors than this is taken again ...
_DISTURBED_SHARE = 0.1
# ... but not for ever; of what was measured then, the least disturbed counts.
_ATTEMPTS = 3


class Named(Protocol):
    """Whoever takes a turn."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)
R = TypeVar("R")


def say(what: str) -> None:
    """Tell the person who waits; only the table goes to stdout."""
    print(what, file=sys.stderr, flush=True)


def in_turn(
    what: str, peers: Sequence[T], rounds: int, measure: Callable[[T], R]
) -> dict[str, list[R]]:
    """A, B, A, B ...: what each reached, by its name."""
    reached: dict[str, list[R]] = {peer.name: [] for peer in peers}
    for number in range(1, rounds + 1):
        for peer in peers:
            say(f"{what}: {peer.name}, round {number} of {rounds}")
            reached[peer.name].append(undisturbed(partial(measure, peer)))
    return reached


def undisturbed(measure: Callable[[], R], most: int = _ATTEMPTS) -> R:
    """What was measured while others let us; after that many attempts, the best of them."""
    attempts: list[tuple[float, R]] = []
    while True:
        disturbance = Disturbance()
        result = measure()
        share = disturbance.share()
        attempts.append((share, result))
        if share <= _DISTURBED_SHARE:
            return result
        if len(attempts) == most:
            return min(attempts, key=lambda attempt: attempt[0])[1]
        say(f"  others used {share:.0%} of the processors: again")

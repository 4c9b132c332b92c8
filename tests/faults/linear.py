"""Is there an order of these ops that explains every answer?

The search of Wing and Gong with the memory of Lowe: ops take effect one at a
time, each between its start and its end; of two ways that lead to the same set
of ops done and the same state only one is followed. An op whose outcome is
unknown never ends, and need not take effect at all.

Rule: nothing here knows what an op means; that is the model's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol, TypeVar

from tests.faults.history import UNKNOWN, Op

__all__ = ["Model", "UndecidedError", "Verdict", "find_order"]

S = TypeVar("S", bound=Hashable)
_LIMIT = 300_000


class Model(Protocol[S]):
    """An object: how it begins, and what an op does to it."""

    def initial(self) -> S: ...

    def step(self, state: S, op: Op) -> S | None:
        """The state after it; None when it cannot have been answered so in this state."""


class UndecidedError(Exception):
    """The search became too large; nothing is known."""


@dataclass
class Verdict:
    """Either an `order` that explains all, or the longest that was found and what is `stuck`."""

    explained: bool
    order: list[Op] = field(default_factory=list)
    stuck: list[Op] = field(default_factory=list)
    states: int = 0


class _Search:
    """The ops by their numbers, sure ones apart from those that may never have been done."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self.sure = sorted((op for op in ops if op.outcome != UNKNOWN), key=lambda op: op.start)
        self.maybe = sorted((op for op in ops if op.outcome == UNKNOWN), key=lambda op: op.start)
        self.all_sure = (1 << len(self.sure)) - 1

    def candidates(self, done: int, first: int) -> Iterator[tuple[int, Op]]:
        """Those that may be next: begun before any other op that is not done has ended.

        Ops of unknown outcome come last: most of them are not needed.
        """
        earliest = inf
        count = len(self.sure)
        number = first
        # `sure` is in the order of starts, so whatever comes after the break starts later still.
        waiting: list[tuple[int, Op]] = []
        while number < count and self.sure[number].start <= earliest:
            if not done >> number & 1:
                op = self.sure[number]
                earliest = min(earliest, op.end)
                waiting.append((number, op))
            number += 1
        yield from (one for one in waiting if one[1].start <= earliest)
        for number, op in enumerate(self.maybe, count):
            if op.start > earliest:
                break
            if not done >> number & 1:
                yield number, op


def find_order(ops: Sequence[Op], model: Model[S], limit: int = _LIMIT) -> Verdict:
    """Look for an order; `ops` are of one object, without those that failed.

    Raises:
        UndecidedError: after `limit` states.
    """
    search = _Search(ops)
    state = model.initial()
    done = first = 0
    seen: set[tuple[int, S]] = {(done, state)}
    order: list[Op] = []
    best: list[Op] = []
    stuck: list[Op] = []
    path = [(state, done, first, search.candidates(done, first))]
    while True:
        if done & search.all_sure == search.all_sure:
            return Verdict(True, order, states=len(seen))
        state, done, first, choices = path[-1]
        for number, op in choices:
            after = model.step(state, op)
            if after is None or (done | 1 << number, after) in seen:
                continue
            done |= 1 << number
            if len(seen) >= limit:
                raise UndecidedError(f"{len(seen)} states of {len(ops)} ops")
            seen.add((done, after))
            while done >> first & 1 and first < len(search.sure):
                first += 1
            order.append(op)
            path.append((after, done, first, search.candidates(done, first)))
            break
        else:
            if len(order) > len(best) or not stuck:
                best = list(order)
                stuck = [one for _, one in search.candidates(done, first)]
            path.pop()
            if not path:
                return Verdict(False, best, stuck, len(seen))
            order.pop()
            done = path[-1][1]

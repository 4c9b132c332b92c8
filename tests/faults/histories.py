"""Histories made up for the tests of the checker, right ones by construction.

Ops are carried out on the model one after the other, each at a moment of its own,
and are then given a start before that moment and an end after it, at random: what
they were told is explained by the order of those moments, whatever they overlap.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tests.faults.history import FAIL, UNKNOWN, Op

__all__ = ["key_history", "lock_history"]

_PROCESSES = 5


@dataclass
class _Clock:
    """Moments; and for each process when its last op ended, for it does one at a time."""

    chance: random.Random
    moment: float = 0.0
    ended: dict[int, float] = field(default_factory=dict)
    unknown: int = 0

    def next(self) -> tuple[int, float]:
        self.moment += self.chance.uniform(0.01, 1)
        free = [one for one in range(_PROCESSES) if self.ended.get(one, 0.0) < self.moment]
        if not free:
            self.moment = min(self.ended.values()) + 0.01
            free = [one for one, end in self.ended.items() if end < self.moment]
        return self.chance.choice(free), self.moment

    def place(self, op: Op) -> Op:
        """Around this moment; now and then nobody hears the answer."""
        begun = self.ended.get(op.process, 0.0)
        op.start = self.chance.uniform(max(begun, self.moment - 3), self.moment)
        op.end = self.chance.uniform(self.moment, self.moment + 3)
        self.ended[op.process] = op.end
        writes = op.kind not in ("get", "look", "data")
        if writes and self.unknown < 5 and self.chance.random() < 0.1:
            op.outcome = UNKNOWN
            self.unknown += 1
        return op


def key_history(seed: int, length: int) -> list[Op]:
    """Of one key."""
    chance = random.Random(seed)
    clock = _Clock(chance)
    value: str | None = None
    index = 10
    seen: list[str | None] = [None]
    ops: list[Op] = []
    for number in range(length):
        process, _ = clock.next()
        kind = chance.choice(["get", "get", "put", "cas", "delete"])
        op = Op(process, kind, "k", "s1", -1)
        if kind == "get":
            op.value, op.index, op.seen_index = value, index if value else 0, index
            seen.append(value)
        elif chance.random() < 0.1:
            op.outcome, op.value = FAIL, f"v{number}"
        elif kind == "delete":
            value = None
        else:
            op.value = f"v{number}"
            op.expected = chance.choice([value, chance.choice(seen)]) if kind == "cas" else None
            op.done = kind == "put" or op.expected == value
            if op.done:
                value, index = op.value, index + chance.randrange(1, 5)
        ops.append(clock.place(op) if op.outcome != FAIL else _failed(op, clock))
    return ops


def _failed(op: Op, clock: _Clock) -> Op:
    op.start, op.end = clock.moment, clock.moment + 0.001
    return op


@dataclass
class _Lock:
    holder: str = ""
    holdings: int = 0
    data: str | None = None


def lock_history(seed: int, length: int) -> list[Op]:
    """Of one lock and what it guards; sessions end at times."""
    chance = random.Random(seed)
    clock = _Clock(chance)
    lock = _Lock()
    sessions: list[str] = []
    ops: list[Op] = []
    for number in range(length):
        process, moment = clock.next()
        if len(sessions) < 3:
            sessions.append(f"session{number}")
            create = Op(process, "create", "l", "s1", -1, moment, moment, session=sessions[-1])
            clock.ended[process] = moment
            ops.append(create)
            continue
        if chance.random() < 0.05:
            gone = sessions.pop(chance.randrange(3))
            lock.holder = "" if lock.holder == gone else lock.holder
            continue
        ops.append(clock.place(_lock_op(process, number, lock, sessions, chance)))
    return ops


def _lock_op(
    process: int, number: int, lock: _Lock, sessions: list[str], chance: random.Random
) -> Op:
    kind = chance.choice(["acquire", "acquire", "release", "fenced", "fenced", "look", "data"])
    op = Op(process, kind, "l", "s1", -1)
    if kind == "look":
        op.session, op.lock_index = lock.holder, lock.holdings
        return op
    if kind == "data":
        op.value = lock.data
        return op
    op.session = chance.choice([lock.holder or sessions[0], chance.choice(sessions)])
    holds = op.session == lock.holder
    if kind == "acquire":
        op.done = holds or (not lock.holder and chance.random() < 0.9)
        if op.done and not holds:
            lock.holder, lock.holdings = op.session, lock.holdings + 1
        return op
    op.done = holds
    if kind == "fenced":
        op.value, op.lock_index = f"d{number}", lock.holdings if holds else 0
        lock.data = op.value if holds else lock.data
    elif holds:
        lock.holder = ""
    return op

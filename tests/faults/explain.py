"""A violation made small, and told as a timeline."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.faults.history import OK, UNKNOWN, Op
from tests.faults.linear import UndecidedError, find_order
from tests.faults.models import Lock, Register

__all__ = ["shortened", "told"]

_LIMIT = 50_000
_OBSERVERS = ("get", "look", "data")


def shortened(ops: Sequence[Op], model: Lock | Register) -> list[Op]:
    """The shortest beginning that is wrong already, without the reads that do not matter.

    Only that may be left out whose absence cannot make a right history wrong:
    what begins later, and whatever only looks.
    """
    ends = sorted(op.end for op in ops if op.outcome == OK)
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _is_wrong(_until(ops, ends[middle]), model):
            high = middle
        else:
            low = middle + 1
    few = _until(ops, ends[low])
    for op in list(few):
        looks = op.kind in _OBSERVERS or (op.outcome == OK and not op.done)
        without = [one for one in few if one is not op]
        # An op that may never have been done could be what explains an answer, as a reader sees
        # it: only one whose value is in no other op can go.
        unseen = op.outcome == UNKNOWN and not any(_refers(one, op) for one in without)
        if (looks or unseen) and _is_wrong(without, model):
            few = without
    return sorted(few, key=lambda op: op.start)


def _refers(one: Op, write: Op) -> bool:
    if write.kind == "expire":
        return one.session == write.session
    return write.value is None or write.value in (one.value, one.expected)


def _until(ops: Sequence[Op], moment: float) -> list[Op]:
    """What was known then: what had not ended may be done or not."""
    return [
        op if op.until <= moment else msgspec.structs.replace(op, outcome=UNKNOWN)
        for op in ops
        if op.start <= moment and (op.until <= moment or op.kind not in _OBSERVERS)
    ]


def _is_wrong(ops: Sequence[Op], model: Lock | Register) -> bool:
    try:
        return not find_order(ops, model, _LIMIT).explained  # type: ignore[misc]
    except UndecidedError:
        return False


def told(ops: Sequence[Op]) -> str:
    """One line an op: when, who, where, what, and what came of it."""
    return "\n".join(_line(op) for op in ops)


def _line(op: Op) -> str:
    end = f"{op.end:9.4f}" if op.outcome == OK else "        …"
    who = f"client {op.process}" if op.process >= 0 else "-"
    where = f"{op.server}#{op.incarnation}" if op.server else "-"
    return f"{op.start:9.4f} {end}  {who:<10} {where:<6} {_what(op)}"


def _what(op: Op) -> str:
    words = [op.kind]
    if op.kind in ("get", "look", "data"):
        words.append(op.mode or "default")
        found = op.session or "nobody" if op.kind == "look" else op.value or "nothing"
        words.append(f"-> {found}")
        if op.kind == "look":
            words.append(f"LockIndex {op.lock_index}")
        elif op.kind == "get":
            words.append(f"ModifyIndex {op.index}")
            words += [f"X-Consul-Index {op.seen_index}"] if op.seen_index else []
        return " ".join(words)
    if op.kind == "cas":
        words.append(f"{op.expected or 'nothing'} ->")
    words += [word for word in (op.value, op.session) if word]
    if op.kind == "fenced":
        words.append(f"LockIndex {op.lock_index}")
    outcome = op.outcome if op.outcome != OK or op.done else "refused"
    words.append(f": {outcome}")
    if op.error:
        words.append(f"({op.error})")
    return " ".join(words)

"""What may not be in a history. Each check yields its violations, with the ops that show it.

The search for an order (`linear.py`) would find most of these as well; the others
say in one sentence what is wrong, and look at what the search does not see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.explain import shortened
from tests.faults.history import FAIL, OK, UNKNOWN, History, Op
from tests.faults.linear import UndecidedError, find_order
from tests.faults.models import Lock, Register

__all__ = ["KINDS", "Violation", "check", "known_indexes"]

KINDS = {
    "order": "answers that no order of the operations explains",
    "undecided": "histories too tangled to be decided",
    "lost": "acknowledged writes that are gone",
    "phantom": "values that nobody wrote, or whose write was refused",
    "index": "indexes that went back, or changed",
    "lock": "two holders of one lock",
    "session": "sessions that ended before their TTL",
    "recovery": "servers that did not come back or never agreed",
}
_READS = ("get", "data")
_WRITES = ("put", "cas", "delete", "fenced")
_LOCK_KINDS = {"acquire", "release", "fenced", "look", "data", "create", "renew", "destroy"}


@dataclass
class Violation:
    kind: str
    key: str
    sentence: str
    ops: Sequence[Op] = ()


def check(history: History, ttl_s: float) -> list[Violation]:
    """All that is wrong with it; `ttl_s` is the TTL of its sessions."""
    found: list[Violation] = []
    for key, ops in sorted(history.by_key().items()):
        found += _phantoms(key, ops)
        found += _lost(key, ops)
        found += _backwards(key, ops)
        found += _orders(key, ops)
        if is_lock(ops):
            found += _two_holders(key, ops)
            found += _early_ends(key, ops, ttl_s)
    return found


def is_lock(ops: Sequence[Op]) -> bool:
    return ops[0].kind in _LOCK_KINDS


def _wrote(op: Op) -> bool:
    """Whether it changed something, or may have."""
    return op.kind in _WRITES and op.outcome != FAIL and (op.outcome == UNKNOWN or op.done)


# ---------------------------------------------------------------- the order


def known_indexes(ops: Sequence[Op]) -> dict[str, int]:
    """The `ModifyIndex` of every value that was read, stale reads included."""
    return {op.value: op.index for op in ops if op.kind == "get" and op.value and op.outcome == OK}


def ordered_ops(ops: Sequence[Op]) -> list[Op]:
    """Those that must have an order: neither failed nor stale; of sessions only their end."""
    chosen = [
        op
        for op in ops
        if op.outcome != FAIL and op.mode != "stale" and op.kind not in ("create", "renew")
    ]
    if is_lock(ops):
        for op in ops:
            if op.kind == "create" and op.outcome == OK:
                chosen.append(
                    Op(-1, "expire", op.key, start=op.start, outcome=UNKNOWN, session=op.session)
                )
    # A read without an answer says nothing.
    return [op for op in chosen if op.outcome == OK or op.kind not in (*_READS, "look")]


def _orders(key: str, ops: Sequence[Op]) -> Iterator[Violation]:
    lock = is_lock(ops)
    model: Lock | Register = Lock() if lock else Register(known_indexes(ops))
    chosen = ordered_ops(ops)
    try:
        verdict = find_order(chosen, model)  # type: ignore[misc]
    except UndecidedError as error:
        yield Violation("undecided", key, f"no order was found, none was excluded: {error}", chosen)
        return
    if not verdict.explained:
        few = shortened(chosen, model)
        yield Violation("order", key, "no order of these explains every answer", few)


# ---------------------------------------------------------------- values


def _phantoms(key: str, ops: Sequence[Op]) -> Iterator[Violation]:
    writes = {op.value: op for op in ops if op.kind in ("put", "cas", "fenced")}
    told: set[str] = set()
    for op in ops:
        if op.kind not in _READS or op.outcome != OK or op.value is None or op.value in told:
            continue
        write = writes.get(op.value)
        if write is None:
            yield Violation("phantom", key, f"{op.value} was read, and nobody wrote it", [op])
        elif not _wrote(write):
            sentence = f"{op.value} was read, and its write was refused"
            yield Violation("phantom", key, sentence, [write, op])
        elif write.start > op.end:
            sentence = f"{op.value} was read before it was written"
            yield Violation("phantom", key, sentence, [op, write])
        else:
            continue
        told.add(op.value)


def _lost(key: str, ops: Sequence[Op]) -> Iterator[Violation]:
    """Acknowledged writes without a trace in what the last read that is not stale shows."""
    reads = [op for op in ops if op.kind in _READS and op.outcome == OK and op.mode != "stale"]
    if not reads:
        return
    final = max(reads, key=lambda op: op.start)
    changes = [op for op in ops if _wrote(op) and op.start < final.end]
    if final.value is None:
        makers = [op for op in changes if op.kind == "delete"]
    else:
        makers = [op for op in changes if op.value == final.value]
        if not makers:
            return  # a phantom
    for op in changes:
        acknowledged = op.outcome == OK and op.end < final.start
        if acknowledged and all(one.until < op.start for one in makers):
            what = f"{op.kind} of {op.value}" if op.value else op.kind
            sentence = f"{what} was acknowledged, the last read shows {final.value or 'nothing'}"
            yield Violation("lost", key, sentence, [*makers[-1:], op, final])
            return


# ---------------------------------------------------------------- indexes


def _backwards(key: str, ops: Sequence[Op]) -> Iterator[Violation]:
    """One server process may never show an older state than it has shown."""
    latest: dict[tuple[str, int, str], list[Op]] = {}
    versions: dict[str, Op] = {}
    for op in ops:
        if op.kind != "get" or op.outcome != OK:
            continue
        if op.value is not None:
            before = versions.setdefault(op.value, op)
            if before.index != op.index:
                sentence = f"the index of {op.value} was {before.index}, then {op.index}"
                yield Violation("index", key, sentence, [before, op])
        if op.incarnation >= 0:
            latest.setdefault((op.server, op.incarnation, op.mode), []).append(op)
    for reads in latest.values():
        yield from _went_back(key, reads)


def _went_back(key: str, reads: list[Op]) -> Iterator[Violation]:
    ended = sorted(reads, key=lambda op: op.end)
    highest: Op | None = None
    passed = 0
    for op in sorted(reads, key=lambda op: op.start):
        while ended[passed].end < op.start:
            if highest is None or ended[passed].seen_index > highest.seen_index:
                highest = ended[passed]
            passed += 1
        if highest is not None and op.seen_index < highest.seen_index:
            sentence = f"X-Consul-Index of {op.server} went from {highest.seen_index} back"
            yield Violation("index", key, f"{sentence} to {op.seen_index}", [highest, op])
            return


# ---------------------------------------------------------------- locks


def _two_holders(key: str, ops: Sequence[Op]) -> Iterator[Violation]:
    """By fencing: every holder has a `LockIndex` of its own, later ones higher ones."""
    holders: dict[int, Op] = {}
    for op in sorted(ops, key=lambda op: op.end):
        if op.kind == "look" and op.outcome == OK and op.session:
            before = holders.setdefault(op.lock_index, op)
            if before.session != op.session:
                sentence = f"two sessions held it with LockIndex {op.lock_index}"
                yield Violation("lock", key, sentence, [before, op])
                return
    # The end of the first look is when the holding is known to have begun.
    for op in ops:
        if op.kind != "fenced" or op.outcome != OK or not op.done or not op.lock_index:
            continue
        for lock_index, look in holders.items():
            late = look.end < op.start and lock_index > op.lock_index
            if late and look.session != op.session:
                sentence = f"a write with LockIndex {op.lock_index} was done after {lock_index}"
                yield Violation("lock", key, sentence, [look, op])
                return


def _early_ends(key: str, ops: Sequence[Op], ttl_s: float) -> Iterator[Violation]:
    """A session that was acknowledged to live lives for its TTL, unless its owner ends it."""
    renewed: dict[str, Op] = {}
    over: set[str] = set()
    for op in ops:
        if op.kind in ("create", "renew") and op.outcome == OK and op.done:
            last = renewed.setdefault(op.session, op)
            renewed[op.session] = max(last, op, key=lambda one: one.start)
        elif op.kind == "destroy":
            over.add(op.session)
    taken = [op for op in ops if op.kind == "acquire" and op.outcome == OK and op.done]
    released = [op for op in ops if op.kind == "release"]
    for op in taken:
        if op.session not in renewed or op.session in over:
            continue
        last = renewed[op.session]
        for other in taken:
            if other.session == op.session or other.start < op.end:
                continue
            free = any(one.session == op.session and one.until > op.start for one in released)
            if not free and other.end < last.start + ttl_s:
                sentence = f"{other.session} took it while {op.session} was promised to live"
                yield Violation("session", key, sentence, [op, last, other])
                return

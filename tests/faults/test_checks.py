"""The checker: right histories pass, each kind of wrong one is found."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.checks import Violation, check
from tests.faults.explain import told
from tests.faults.histories import key_history, lock_history
from tests.faults.history import FAIL, OK, UNKNOWN, History, Op
from tests.faults.linear import UndecidedError, find_order
from tests.faults.models import Register

TTL_S = 2.0
seeds = st.integers(0, 2**32)
lengths = st.integers(1, 60)


def verdict(*ops: Op) -> list[Violation]:
    return check(History(ops), TTL_S)


def kinds(*ops: Op) -> set[str]:
    return {one.kind for one in verdict(*ops)}


_processes = iter(range(1, 1_000_000))


def op(kind: str, start: float, end: float, **more: Any) -> Op:
    """By a process of its own."""
    return Op(next(_processes), kind, "k", start=start, end=end, **more)


def put(start: float, end: float, value: str, **more: Any) -> Op:
    return op("put", start, end, value=value, **more)


def get(start: float, end: float, value: str | None, index: int = 0, **more: Any) -> Op:
    more.setdefault("seen_index", index)
    return op("get", start, end, value=value, index=index, incarnation=-1, **more)


def cas(start: float, end: float, expected: str | None, value: str, **more: Any) -> Op:
    return op("cas", start, end, expected=expected, value=value, **more)


# ---------------------------------------------------------------- made-up histories


@settings(deadline=None)
@given(seeds, lengths)
def test_what_was_done_one_after_the_other_always_passes(seed: int, length: int) -> None:
    assert verdict(*key_history(seed, length)) == []


@settings(deadline=None)
@given(seeds, lengths)
def test_locks_that_were_held_one_after_the_other_always_pass(seed: int, length: int) -> None:
    assert verdict(*lock_history(seed, length)) == []


@settings(deadline=None)
@given(seeds, st.integers(10, 60))
def test_a_read_of_what_was_overwritten_before_it_is_found(seed: int, length: int) -> None:
    history = key_history(seed, length)
    end = max(one.end for one in history) + 10
    for one in history:
        # It was done: that nobody is sure of it must not explain more.
        one.outcome = OK if one.outcome == UNKNOWN else one.outcome
    history = [*history, put(end, end + 1, "old"), put(end + 2, end + 3, "new")]
    assert verdict(*history, get(end + 4, end + 5, "new", 1000)) == []
    assert "order" in kinds(*history, get(end + 4, end + 5, "old", 1000))


@settings(deadline=None)
@given(seeds, st.integers(30, 60))
def test_an_answer_turned_round_is_found_unless_another_order_explains_it(
    seed: int, length: int
) -> None:
    """Judged by trying every order, on a few ops at a time."""
    chance = random.Random(seed)
    history = [one for one in key_history(seed, length) if one.outcome != FAIL][:7]
    found = [one for one in history if one.kind in ("cas", "get") and one.outcome == OK]
    if not found:
        return
    wrong = chance.choice(found)
    if wrong.kind == "cas":
        wrong.done = not wrong.done
    else:
        wrong.value = chance.choice([None, *(one.value for one in history)])
        wrong.index = 0
    indexes: dict[str, int] = {}
    assert find_order(history, Register(indexes)).explained == _by_trying(history, indexes)


def _by_trying(ops: list[Op], indexes: dict[str, int]) -> bool:
    model = Register(indexes)

    def go(rest: list[Op], state: Any) -> bool:
        if all(one.outcome == UNKNOWN for one in rest):
            return True
        for one in rest:
            if any(other.until < one.start for other in rest if other is not one):
                continue
            after = model.step(state, one)
            if after is not None and go([two for two in rest if two is not one], after):
                return True
        return False

    return go(ops, model.initial())


# What cannot be explained takes longest: every order is tried.
@settings(deadline=None, max_examples=25)
@given(seeds, st.integers(20, 60))
def test_a_second_holder_of_a_lock_is_found(seed: int, length: int) -> None:
    history = lock_history(seed, length)
    end = max(one.end for one in history) + 10
    owner, thief = (
        Op(0, "acquire", "l", "s1", -1, end + shift, end + shift + 1, session=name)
        for shift, name in ((0, "owner"), (2, "thief"))
    )
    assert kinds(*history, owner, thief) == {"order"}
    # Nobody was told of the end of the owner's session; but it can have ended once there is one.
    create = Op(0, "create", "l", "s1", -1, end - 2, end - 1, session="owner")
    assert kinds(*history, create, owner, thief) <= {"session"}


# ---------------------------------------------------------------- keys, one by one


def test_an_acknowledged_write_that_is_gone_is_found() -> None:
    first, second = put(0, 1, "a"), put(2, 3, "b")
    assert kinds(first, second, get(4, 5, "b", 2)) == set()
    found = verdict(first, second, get(4, 5, "a", 1))
    assert {one.kind for one in found} == {"order", "lost"}
    lost = next(one for one in found if one.kind == "lost")
    assert lost.sentence == "put of b was acknowledged, the last read shows a"
    assert {one.kind for one in verdict(first, get(4, 5, None))} == {"order", "lost"}


def test_a_write_of_unknown_outcome_may_be_done_later_or_never() -> None:
    unknown = put(0, 1, "u", outcome=UNKNOWN)
    sure = put(2, 3, "a")
    assert kinds(unknown, sure, get(4, 5, "a", 5)) == set()
    assert kinds(unknown, sure, get(4, 5, "a", 5), get(6, 7, "u", 6)) == set()
    back = [get(4, 5, "u", 6), get(6, 7, "a", 5)]
    assert "order" in kinds(unknown, sure, *back)
    # It may explain why a compare-and-swap was refused.
    assert kinds(sure, unknown, cas(4, 5, "a", "c", done=False)) == set()
    assert kinds(sure, cas(4, 5, "a", "c", done=False)) == {"order"}


def test_a_write_that_was_refused_and_done_is_found() -> None:
    assert "phantom" in kinds(put(0, 1, "a", outcome=FAIL), get(2, 3, "a", 1))
    assert "phantom" in kinds(get(2, 3, "never", 1, mode="stale"))
    assert "phantom" in kinds(get(2, 3, "a", 1, mode="stale"), put(4, 5, "a"))


def test_of_two_who_swap_the_same_version_one_wins() -> None:
    begin = put(0, 1, "a")
    assert kinds(begin, cas(2, 4, "a", "b"), cas(3, 5, "a", "c", done=False)) == set()
    assert kinds(begin, cas(2, 4, "a", "b"), cas(3, 5, "a", "c")) == {"order"}
    assert kinds(cas(0, 2, None, "b"), cas(1, 3, None, "c")) == {"order"}


def test_reads_that_overlap_a_write_see_it_in_turn() -> None:
    begin, write = put(0, 1, "a"), put(2, 10, "b")
    assert kinds(begin, write, get(3, 4, "a", 1), get(5, 6, "b", 2)) == set()
    assert "order" in kinds(begin, write, get(3, 4, "b", 2), get(5, 6, "a", 1))


def test_stale_reads_may_be_old_but_not_on_one_server_process() -> None:
    writes = [put(0, 1, "a"), put(2, 3, "b")]
    assert kinds(*writes, get(4, 5, "a", 1, mode="stale")) == set()
    new = Op(1, "get", "k", "s1", 1, 4, 5, mode="stale", value="b", index=2, seen_index=2)
    old = Op(1, "get", "k", "s1", 1, 6, 7, mode="stale", value="a", index=1, seen_index=1)
    assert kinds(*writes, new, old) == {"index"}
    elsewhere = msgspec.structs.replace(old, server="s2")
    again = msgspec.structs.replace(old, incarnation=2)
    at_once = msgspec.structs.replace(old, start=4.5)
    assert kinds(*writes, new, elsewhere, again, at_once) == set()


def test_an_index_that_changes_or_goes_back_is_found() -> None:
    assert kinds(put(0, 1, "a"), get(2, 3, "a", 5), get(4, 5, "a", 6)) == {"index"}
    # Each read on its own is right, but what was written later has the lower index.
    order = [put(0, 1, "a"), get(2, 3, "a", 9), put(4, 5, "b"), get(6, 7, "b", 8)]
    assert kinds(*order) == {"order"}


# ---------------------------------------------------------------- locks, one by one


def lock_op(kind: str, start: float, session: str, **more: Any) -> Op:
    return Op(next(_processes), kind, "l", start=start, end=start + 1, session=session, **more)


def test_a_lock_passes_on_when_it_is_let_go_or_its_session_has_ended() -> None:
    one = [lock_op("create", 0, "A"), lock_op("acquire", 2, "A")]
    two = [lock_op("create", 0, "B"), lock_op("acquire", 10, "B")]
    assert kinds(*one, *two) == set()
    assert kinds(*one, lock_op("release", 4, "A"), *two) == set()
    assert kinds(*one, *two, lock_op("fenced", 12, "A", value="x")) == {"order"}
    assert kinds(*one, *two, lock_op("fenced", 12, "A", value="x", done=False)) == set()
    # Its session has ended, so it cannot have it again without a new one.
    assert kinds(*one, *two, lock_op("acquire", 20, "A")) == {"order"}


def test_two_holders_are_found_by_their_fencing_tokens() -> None:
    looks = [lock_op("look", 4, "A", lock_index=1), lock_op("look", 6, "B", lock_index=1)]
    assert "lock" in kinds(*looks)
    late = lock_op("fenced", 8, "A", value="x", lock_index=1)
    assert "lock" in kinds(lock_op("look", 4, "B", lock_index=2), late)


def test_a_session_that_ends_before_its_ttl_is_found() -> None:
    one = [lock_op("create", 0, "A"), lock_op("acquire", 2, "A"), lock_op("renew", 10, "A")]
    two = [lock_op("create", 0, "B")]
    early = lock_op("acquire", 10.5, "B")
    assert kinds(*one, *two, early) == {"session"}
    assert kinds(*one, *two, early, lock_op("release", 4, "A")) == set()
    assert kinds(*one, *two, lock_op("acquire", 13, "B")) == set()


# ---------------------------------------------------------------- what is said, and how fast


def test_an_explanation_holds_no_more_than_it_needs() -> None:
    noise = [get(n, n + 0.5, "a", 1) for n in range(2, 40)]
    ops = [put(0, 1, "a"), *noise, put(50, 51, "b"), get(52, 53, "a", 1), get(60, 61, "b", 2)]
    order = next(one for one in verdict(*ops) if one.kind == "order")
    assert [one.kind for one in order.ops] == ["put", "put", "get"]
    text = told(order.ops)
    assert "put b : ok" in text
    assert "get default -> a ModifyIndex 1" in text


def test_a_history_as_long_as_that_of_a_run_is_checked_in_time() -> None:
    started = time.process_time()
    for seed in range(200):
        assert verdict(*key_history(seed, 60), *lock_history(seed, 100)) == []
    assert time.process_time() - started < 30


def test_a_search_that_becomes_too_large_says_so() -> None:
    ops = [put(0, 100, f"v{n}") for n in range(12)]
    with pytest.raises(UndecidedError):
        find_order([*ops, get(200, 201, "nothing", 0)], Register({}), limit=1000)

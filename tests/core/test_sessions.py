"""`fairlead.core.sessions`."""

from __future__ import annotations

import pytest

from fairlead.core import sessions
from fairlead.core.commands import (
    KVLock,
    KVSet,
    LockDelaysDrop,
    LockDelaysRestart,
    SessionDestroy,
)
from fairlead.core.state import State
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from tests.core.deciding import node_rows, run, session, state_with_node


def test_a_session_needs_a_node_and_checks_that_are_not_critical() -> None:
    state = State()
    with pytest.raises(InvalidError, match="Missing node registration"):
        run(state, session())
    run(state, node_rows(status="critical"))
    with pytest.raises(InvalidError, match="Check 'serfHealth' is in critical state"):
        run(state, session())
    with pytest.raises(InvalidError, match="Missing check 'nope' registration"):
        run(state, session(checks=["nope"]))
    assert run(state, session(checks=[])) == "s1"


def test_what_a_session_held_may_not_be_locked_until_its_delay_is_over() -> None:
    state = state_with_node()
    run(state, session("s1", lock_delay=15 * SECOND_NS), session("s2"))
    run(state, KVLock("a", b"v", 0, "s1", 0), SessionDestroy("s1", now_ns=100 * SECOND_NS))
    assert not state.kv.rows["a"].session
    assert run(state, KVLock("a", b"v", 0, "s2", 114 * SECOND_NS)) is False
    assert run(state, KVSet("a", b"plain")) is True
    assert run(state, KVLock("a", b"v", 0, "s2", 115 * SECOND_NS)) is True


def test_a_lock_delay_is_a_minute_at_most() -> None:
    state = state_with_node()
    run(state, session("s1", lock_delay=999 * SECOND_NS), session("s2"))
    run(state, KVLock("a", b"v", 0, "s1", 0), SessionDestroy("s1", now_ns=0))
    assert run(state, KVLock("a", b"v", 0, "s2", 59 * SECOND_NS)) is False
    assert run(state, KVLock("a", b"v", 0, "s2", 60 * SECOND_NS)) is True


def test_keys_of_a_delete_session_go_with_it_and_keep_their_delay() -> None:
    state = state_with_node()
    run(state, session("s1", behavior="delete", lock_delay=SECOND_NS), session("s2"))
    run(state, KVLock("a", b"v", 0, "s1", 0), KVLock("b", b"v", 0, "s1", 0), KVSet("c", b"v"))
    run(state, SessionDestroy("s1", now_ns=0))
    assert list(state.kv.rows) == ["c"]
    assert run(state, KVLock("a", b"v", 0, "s2", 1)) is False


def test_past_lock_delays_are_forgotten() -> None:
    state = state_with_node()
    run(state, session("s1", lock_delay=SECOND_NS), KVLock("a", b"v", 0, "s1", 0))
    run(state, SessionDestroy("s1", now_ns=0))
    assert list(state.lock_delays.rows) == ["a"]
    run(state, session("s2"), SessionDestroy("s2", now_ns=5 * SECOND_NS))
    assert list(state.lock_delays.rows) == []


def test_lock_delays_run_anew_by_the_clock_of_the_next_leader() -> None:
    state = state_with_node()
    run(state, session("s1", lock_delay=15 * SECOND_NS), session("s2"))
    run(state, KVLock("a", b"v", 0, "s1", 0), SessionDestroy("s1", now_ns=3600 * SECOND_NS))
    run(state, LockDelaysRestart(now_ns=0))
    assert run(state, KVLock("a", b"v", 0, "s2", 14 * SECOND_NS)) is False
    assert run(state, KVLock("a", b"v", 0, "s2", 15 * SECOND_NS)) is True


def test_lock_delays_that_are_over_are_forgotten_on_demand() -> None:
    state = state_with_node()
    run(state, session("s1", lock_delay=SECOND_NS), KVLock("a", b"v", 0, "s1", 0))
    run(state, SessionDestroy("s1", now_ns=0), LockDelaysDrop(now_ns=SECOND_NS - 1))
    assert list(state.lock_delays.rows) == ["a"]
    run(state, LockDelaysDrop(now_ns=SECOND_NS))
    assert list(state.lock_delays.rows) == []


def test_destroying_an_unknown_session_changes_nothing() -> None:
    state = state_with_node()
    index = state.index
    assert run(state, SessionDestroy("nope", now_ns=0)) is True
    assert state.index == index


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("0s", 0), ("10s", 10 * SECOND_NS), ("24h", 86400 * SECOND_NS)]
)
def test_ttls_are_durations_between_the_minimum_and_a_day(text: str, expected: int) -> None:
    assert sessions.parse_ttl(text, 10 * SECOND_NS) == expected


@pytest.mark.parametrize("text", ["9.9s", "24h1ns", "-10s", "abc", "10"])
def test_other_ttls_are_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="Session TTL"):
        sessions.parse_ttl(text, 10 * SECOND_NS)

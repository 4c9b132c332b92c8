"""`fairlead.agent.ttl`."""

from __future__ import annotations

import pytest

from fairlead.agent.ttl import TTLTimers
from fairlead.clock import FakeClock
from fairlead.durations import SECOND_NS


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def timers(clock: FakeClock) -> TTLTimers:
    return TTLTimers(clock)


def test_a_check_that_is_not_refreshed_expires_once(clock: FakeClock, timers: TTLTimers) -> None:
    timers.start("a", 10 * SECOND_NS)
    clock.advance(9.9)
    assert timers.expired() == []
    clock.advance(0.2)
    assert timers.expired() == [("a", "TTL expired")]
    clock.advance(100)
    assert timers.expired() == []


def test_a_refresh_gives_the_full_time_and_its_output_is_remembered(
    clock: FakeClock, timers: TTLTimers
) -> None:
    timers.start("a", 10 * SECOND_NS)
    for _ in range(5):
        clock.advance(9)
        assert timers.expired() == []
        assert timers.refresh("a", "fine") == 10 * SECOND_NS
    clock.advance(11)
    output = "TTL expired (last output before timeout follows): fine"
    assert timers.expired() == [("a", output)]
    timers.refresh("a", "")
    clock.advance(11)
    assert timers.expired() == [("a", "TTL expired")]


def test_a_check_that_is_gone_does_not_expire(clock: FakeClock, timers: TTLTimers) -> None:
    timers.start("a", SECOND_NS)
    timers.stop("a")
    timers.stop("a")
    clock.advance(5)
    assert timers.expired() == []
    assert "a" not in timers
    assert len(timers) == 0


def test_a_shorter_ttl_counts_at_once(clock: FakeClock, timers: TTLTimers) -> None:
    timers.start("a", 1000 * SECOND_NS)
    timers.start("a", SECOND_NS)
    clock.advance(2)
    assert [check_id for check_id, _ in timers.expired()] == ["a"]


def test_a_resumed_check_has_what_was_left(clock: FakeClock, timers: TTLTimers) -> None:
    timers.start("a", 100 * SECOND_NS)
    timers.resume("a", 3 * SECOND_NS, "before")
    clock.advance(4)
    output = "TTL expired (last output before timeout follows): before"
    assert timers.expired() == [("a", output)]


def test_the_first_due_comes_first(clock: FakeClock, timers: TTLTimers) -> None:
    for name, seconds in (("c", 3), ("a", 1), ("b", 2)):
        timers.start(name, seconds * SECOND_NS)
    clock.advance(10)
    assert [check_id for check_id, _ in timers.expired()] == ["a", "b", "c"]

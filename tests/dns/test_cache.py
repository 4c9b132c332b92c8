"""`fairlead.dns.cache`: answers kept while they are true."""

from __future__ import annotations

from collections import Counter

from fairlead.clock import FakeClock
from fairlead.dns.cache import Cache
from fairlead.dns.results import Answer
from fairlead.dns.wire import Message


def answer(rows: dict[str, object], *, shuffled: bool = False, dated: bool = False) -> Answer:
    return Answer(
        Message(), rows=[(rows, "web", rows.get("web"))], is_shuffled=shuffled, is_dated=dated
    )


def test_an_answer_is_kept_while_its_row_is_the_same() -> None:
    cache = Cache(10_000, FakeClock().now_ns)
    rows: dict[str, object] = {"web": object()}
    cache.add(b"q", answer(rows), b"a")
    assert cache.find(b"q") == b"a"
    assert cache.find(b"other") is None
    rows["web"] = object()
    assert cache.find(b"q") is None
    assert cache.size == len(cache) == 0


def test_an_answer_with_the_time_is_kept_for_its_second() -> None:
    clock = FakeClock(5_400_000_000)
    cache = Cache(10_000, clock.now_ns)
    cache.add(b"q", answer({}, dated=True), b"a")
    clock.advance(0.5)
    assert cache.find(b"q") == b"a"
    clock.advance(0.1)
    assert cache.find(b"q") is None


def test_orders_of_an_answer_take_turns_and_are_made_anew() -> None:
    cache = Cache(100_000, FakeClock().now_ns)
    kept = answer({}, shuffled=True)
    made = 0
    seen: Counter[bytes] = Counter()
    for _ in range(5000):
        found = cache.find(b"q")
        if found is None:
            made += 1
            found = b"%d" % made
            cache.add(b"q", kept, found)
        seen[found] += 1
    # One in sixty-four is made anew, and none is given much more often than the others.
    assert 5000 / 64 <= made <= 5000 / 64 + 20
    assert max(seen.values()) < 5000 / 8


def test_the_cache_is_bounded_and_forgets_the_oldest_first() -> None:
    cache = Cache(10_000, FakeClock().now_ns)
    for number in range(100):
        cache.add(b"%d" % number, answer({}), b"a" * 500)
    assert 5 < len(cache) < 11
    assert cache.size <= 10_000
    assert cache.find(b"99") is not None
    assert cache.find(b"0") is None


def test_an_answer_larger_than_the_cache_is_not_kept() -> None:
    cache = Cache(1_000, FakeClock().now_ns)
    cache.add(b"q", answer({}), b"a" * 5_000)
    assert cache.size == len(cache) == 0

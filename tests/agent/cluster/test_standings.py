"""How far servers are behind, by the beats they send."""

from __future__ import annotations

from fairlead.agent.cluster.standings import Standings
from fairlead.clock import FakeClock


def test_only_what_was_there_at_the_beat_before_counts() -> None:
    clock = FakeClock()
    standings = Standings(clock)
    standings.beat("s2", 100, 5000)
    clock.advance(1)
    standings.beat("s2", 4990, 9000)
    found = standings.get("s2")
    assert found is not None
    assert (found.index, found.behind, found.linked) == (4990, 10, True)
    clock.advance(2)
    assert standings.silence_ns(found) == 2_000_000_000


def test_a_link_that_ends_is_noted_with_its_time_and_forgotten_lag() -> None:
    clock = FakeClock()
    standings = Standings(clock)
    standings.left("s2")
    assert standings.get("s2") is None
    standings.beat("s2", 1, 9000)
    began = clock.now_ns()
    clock.advance(5)
    standings.left("s2")
    standings.left("s2")
    found = standings.get("s2")
    assert found is not None
    assert not found.linked
    assert found.since_ns > began
    clock.advance(5)
    standings.beat("s2", 1, 9000)
    found = standings.get("s2")
    assert found is not None
    assert (found.behind, found.linked) == (0, True)

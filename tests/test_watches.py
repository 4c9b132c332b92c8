"""`fairlead.watches`: exactly those are woken whom a change concerns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.draft import Change
from fairlead.core.reads import Watch
from fairlead.watches import Round, Watches


class Sleeper:
    is_reader = True

    def __init__(self, *watches: Watch) -> None:
        self.watches = watches
        self.rounds: list[Round] = []

    def wake(self, round_: Round) -> None:
        self.rounds.append(round_)


def change(key: str, table: str = "kv") -> Change:
    return Change(table, key, None)


def test_a_change_wakes_those_of_its_key_and_of_prefixes_above_it() -> None:
    watches = Watches()
    exact, other = Sleeper(Watch("kv", "a/b", False)), Sleeper(Watch("kv", "a", False))
    above, all_of_it = Sleeper(Watch("kv", "a/")), Sleeper(Watch("kv", ""))
    beside, elsewhere = Sleeper(Watch("kv", "a/c")), Sleeper(Watch("sessions", ""))
    for sleeper in (exact, other, above, all_of_it, beside, elsewhere):
        watches.add(sleeper)
    watches.wake([change("a/b")])
    assert [len(sleeper.rounds) for sleeper in (exact, above, all_of_it)] == [1, 1, 1]
    assert [len(sleeper.rounds) for sleeper in (other, beside, elsewhere)] == [0, 0, 0]


def test_whoever_is_woken_is_no_longer_waiting() -> None:
    watches = Watches()
    sleeper = Sleeper(Watch("kv", "a"), Watch("sessions", ""))
    watches.add(sleeper)
    watches.wake([change("a"), change("ab"), change("s", "sessions")])
    watches.wake([change("a")])
    assert len(sleeper.rounds) == 1
    assert watches.count == 0


def test_those_woken_together_share_a_round() -> None:
    watches = Watches()
    first, second, third = (Sleeper(Watch("kv", "a")) for _ in range(3))
    watches.add(first)
    watches.add(second)
    watches.wake([change("a")])
    watches.add(third)
    watches.wake([change("a")])
    assert first.rounds == second.rounds != third.rounds


def test_a_discarded_waiter_leaves_nothing_behind() -> None:
    watches = Watches()
    sleepers = [Sleeper(Watch("kv", f"{number}"), Watch("kv", "x", False)) for number in range(20)]
    for sleeper in sleepers:
        watches.add(sleeper)
    for sleeper in sleepers:
        watches.discard(sleeper)
    watches.wake([change("1"), change("x")])
    assert not any(sleeper.rounds for sleeper in sleepers)
    assert watches.count == 0
    table = watches._tables["kv"]
    assert [len(table.keys), len(table.prefixes), len(table.lengths)] == [0, 0, 0]


def test_everyone_can_be_woken_at_once() -> None:
    watches = Watches()
    sleepers = [Sleeper(Watch("kv", "a", False)), Sleeper(Watch("sessions", ""))]
    for sleeper in sleepers:
        watches.add(sleeper)
    watches.wake_all()
    assert [len(sleeper.rounds) for sleeper in sleepers] == [1, 1]


_text = st.text("ab/", max_size=4)


@given(st.lists(st.tuples(_text, st.booleans()), max_size=12), st.lists(_text, max_size=4))
def test_waking_is_what_startswith_says(waits: list[tuple[str, bool]], changed: list[str]) -> None:
    watches = Watches()
    sleepers = [Sleeper(Watch("kv", key, prefix)) for key, prefix in waits]
    for sleeper in sleepers:
        watches.add(sleeper)
    watches.wake([change(key) for key in changed])
    for sleeper in sleepers:
        (watch,) = sleeper.watches
        concerns = any(
            key.startswith(watch.key) if watch.prefix else key == watch.key for key in changed
        )
        assert bool(sleeper.rounds) == concerns

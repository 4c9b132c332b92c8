"""`fairlead.core.kv` and `fairlead.core.tombstones`: what the conversations cannot reach."""

from __future__ import annotations

import pytest

from fairlead.core import kv
from fairlead.core.commands import (
    KVDelete,
    KVDeleteTree,
    KVLock,
    KVSet,
    KVUnlock,
    TombstonesReap,
)
from fairlead.core.reads import Watch
from fairlead.core.state import State
from fairlead.errors import InvalidError
from tests.core.deciding import run, session, state_with_node


def index_of(state: State, prefix: str) -> int:
    return kv.read_prefix(state, prefix).index


def test_a_read_of_a_key_waits_for_that_key_alone() -> None:
    state = State()
    assert kv.read_key(state, "a").watches == (Watch("kv", "a", False),)
    assert kv.read_prefix(state, "a/").watches == (Watch("kv", "a/", True),)


def test_an_empty_store_reports_index_one() -> None:
    state = State()
    assert kv.read_key(state, "a").index == 1
    assert kv.read_prefix(state, "").index == 1


def test_a_deleted_prefix_is_noticed_above_it_below_it_and_nowhere_else() -> None:
    state = State()
    run(state, KVSet("a/b/1", b"v"), KVSet("a/b/c/2", b"v"), KVSet("a/d", b"v"), KVSet("z/1", b"v"))
    before = {prefix: index_of(state, prefix) for prefix in ("a/", "a/b/", "a/b/c/", "z/")}
    run(state, KVDeleteTree("a/b/"))
    after = {prefix: index_of(state, prefix) for prefix in before}
    assert after["a/"] > before["a/"]
    assert after["a/b/"] > before["a/b/"]
    assert after["a/b/c/"] > before["a/b/c/"]
    assert after["z/"] == before["z/"]


def test_indexes_do_not_go_back_when_tombstones_are_reaped() -> None:
    state = State()
    run(state, KVSet("p/a", b"v"), KVSet("p/b", b"v"), KVDelete("p/b"), KVSet("other", b"v"))
    before = index_of(state, "p/")
    assert run(state, TombstonesReap(state.index, 10)) == 1
    assert len(state.tombstones) == 0
    assert index_of(state, "p/") >= before


def test_tombstones_are_reaped_a_few_at_a_time_and_no_later_ones() -> None:
    state = State()
    for number in range(5):
        run(state, KVSet(f"k{number}", b"v"), KVDelete(f"k{number}"))
    oldest = state.tombstones.rows["k2"].index
    assert run(state, TombstonesReap(oldest, 2)) == 2
    assert run(state, TombstonesReap(oldest, 2)) == 1
    assert run(state, TombstonesReap(oldest, 2)) == 0
    assert list(state.tombstones.rows) == ["k3", "k4"]


def test_deleting_everything_leaves_one_tombstone() -> None:
    state = State()
    run(state, *[KVSet(f"k{number}", b"v") for number in range(100)])
    run(state, KVDeleteTree(""))
    assert len(state.kv) == 0
    assert len(state.tombstones) + len(state.tree_tombstones) == 1


@pytest.mark.parametrize("key", ["", "a\0b"])
def test_keys_nobody_can_read_back_are_refused(key: str) -> None:
    with pytest.raises(InvalidError):
        run(State(), KVSet(key, b"v"))


def test_a_lock_needs_a_session_that_lives() -> None:
    state = state_with_node()
    with pytest.raises(InvalidError, match='invalid session "gone"'):
        run(state, KVLock("a", b"v", 0, "gone", 0))
    with pytest.raises(InvalidError, match="missing session"):
        run(state, KVUnlock("a", b"v", 0, ""))


def test_the_lock_index_counts_holders() -> None:
    state = state_with_node()
    run(state, session("s1"), session("s2"))
    for expected, name in enumerate(("s1", "s2", "s1"), 1):
        assert run(state, KVLock("a", b"v", 0, name, 0)) is True
        assert run(state, KVLock("a", b"w", 0, name, 0)) is True
        assert state.kv.rows["a"].lock_index == expected
        assert run(state, KVUnlock("a", b"v", 0, name)) is True


def test_separators_cut_after_the_prefix() -> None:
    state = State()
    run(state, *[KVSet(key, b"v") for key in ("a/b/c", "a/b/d", "a/e", "a//x")])
    assert kv.read_keys(state, "a", "/").value == ["a/"]
    assert kv.read_keys(state, "a/", "/").value == ["a//", "a/b/", "a/e"]
    assert kv.read_keys(state, "a/", "//").value == ["a//x", "a/b/c", "a/b/d", "a/e"]
    assert kv.read_keys(state, "a/b", "").value == ["a/b/c", "a/b/d"]

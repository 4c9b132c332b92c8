"""`fairlead.core.draft`."""

from __future__ import annotations

from fairlead.core.draft import Change, Draft
from fairlead.core.rows import KVRow
from fairlead.core.state import State


def row(key: str, index: int = 1, session: str = "") -> KVRow:
    if session:
        return KVRow(0, key, 0, b"v", session, index, index)
    return KVRow(0, key, 0, b"v", create_index=index, modify_index=index)


def state_with(*keys: str) -> State:
    state = State()
    for key in keys:
        state.kv.put(key, row(key))
    state.index = 1
    return state


def test_readers_see_nothing_of_a_draft_until_it_is_applied() -> None:
    state = state_with("a")
    draft = Draft(state)
    draft.kv.put("b", row("b"))
    draft.kv.delete("a")
    assert list(state.kv.rows) == ["a"]
    assert draft.kv.get("a") is None
    draft.settle(0)
    draft.apply()
    assert list(state.kv.rows) == ["b"]
    assert state.index == 2
    assert state.kv.index == 2


def test_what_is_rolled_back_was_never_there() -> None:
    state = state_with("a", "p/1", "p/2")
    draft = Draft(state)
    draft.kv.put("b", row("b"))
    draft.settle(0)
    mark = draft.mark()
    draft.kv.put("a", row("a", 9))
    draft.kv.delete("b")
    draft.kv.delete_prefix("p/")
    draft.rollback(mark)
    assert draft.kv.get("a") == row("a")
    assert draft.kv.get("b") == row("b")
    assert [found.key for found in draft.kv.scan("")] == ["a", "b", "p/1", "p/2"]
    assert list(draft.prefix_deletes()) == []
    assert draft.index == 2


def test_a_command_that_changes_nothing_does_not_raise_the_index() -> None:
    draft = Draft(state_with("a"))
    draft.settle(draft.mark())
    assert draft.index == 1
    assert draft.is_empty


def test_a_prefix_delete_tells_the_engine_the_prefix_and_readers_every_key() -> None:
    state = state_with("p/1", "p/2", "q")
    draft = Draft(state)
    draft.kv.put("p/3", row("p/3"))
    assert draft.kv.delete_prefix("p/") == 3
    draft.kv.put("p/4", row("p/4"))
    draft.settle(0)
    assert list(draft.prefix_deletes()) == [("kv", "p/")]
    assert list(draft.deletes()) == []
    assert [change.key for change in draft.puts()] == ["p/4"]
    assert set(draft.changes()) == {
        Change("kv", "p/1", None),
        Change("kv", "p/2", None),
        Change("kv", "p/3", None),
        Change("kv", "p/4", row("p/4")),
    }
    draft.apply()
    assert [found.key for found in state.kv.scan("")] == ["p/4", "q"]


def test_a_prefix_without_rows_is_no_change() -> None:
    draft = Draft(state_with("a"))
    assert draft.kv.delete_prefix("x/") == 0
    assert draft.is_empty


def test_groups_follow_the_changes() -> None:
    state = state_with()
    state.kv.put("a", row("a", session="s1"))
    state.kv.put("b", row("b", session="s1"))
    draft = Draft(state)
    draft.kv.put("c", row("c", session="s1"))
    draft.kv.put("a", row("a", session="s2"))
    draft.kv.delete("b")
    assert draft.kv.group("s1") == ["c"]
    assert draft.kv.group("s2") == ["a"]


def test_a_table_that_was_not_touched_keeps_its_index() -> None:
    state = state_with("a")
    state.sessions.index = 7
    draft = Draft(state)
    mark = draft.mark()
    draft.kv.delete("a")
    draft.rollback(mark)
    draft.kv.put("b", row("b"))
    draft.settle(mark)
    draft.apply()
    assert state.sessions.index == 7
    assert state.kv.index == 2

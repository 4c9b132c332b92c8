"""`fairlead.core.table`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.rows import KVRow, TombstoneRow
from fairlead.core.table import Table, prefix_end


def row(key: str, session: str = "") -> KVRow:
    return KVRow(0, key, 0, None, session) if session else KVRow(0, key, 0, None)


@pytest.fixture
def table() -> Table[KVRow]:
    return Table("kv", KVRow, group_by=lambda row: row.session)


def test_a_scan_finds_what_begins_so_in_order(table: Table[KVRow]) -> None:
    for key in ("b", "a/2", "a", "a/1", "ab", "c"):
        table.put(key, row(key))
    assert [found.key for found in table.scan("a")] == ["a", "a/1", "a/2", "ab"]
    assert [found.key for found in table.scan("a/")] == ["a/1", "a/2"]
    assert [found.key for found in table.scan("")] == ["a", "a/1", "a/2", "ab", "b", "c"]
    assert table.scan("x") == []


def test_a_deleted_row_is_gone_and_deleting_it_again_is_no_fault(table: Table[KVRow]) -> None:
    table.put("a", row("a"))
    table.delete("a")
    table.delete("a")
    assert len(table) == 0
    assert table.scan("") == []


def test_rows_are_found_by_their_group_until_they_leave_it(table: Table[KVRow]) -> None:
    table.put("a", row("a", "s1"))
    table.put("b", row("b", "s1"))
    table.put("c", row("c"))
    assert table.groups == {"s1": {"a", "b"}}
    table.put("a", row("a", "s2"))
    table.delete("b")
    assert table.groups == {"s2": {"a"}}


def test_many_rows_deleted_at_once_leave_the_others(table: Table[KVRow]) -> None:
    for number in range(100):
        table.put(f"k{number:02}", row(f"k{number:02}", "s" if number % 2 else ""))
    table.delete_many([f"k{number:02}" for number in range(0, 100, 3)])
    kept = [f"k{number:02}" for number in range(100) if number % 3]
    assert [found.key for found in table.scan("")] == kept
    assert table.groups["s"] == {key for key in kept if int(key[1:]) % 2}


def test_loading_takes_the_place_of_what_was_there(table: Table[KVRow]) -> None:
    table.put("old", row("old", "s1"))
    table.load({"b": row("b", "s2"), "a": row("a")})
    assert [found.key for found in table.scan("")] == ["a", "b"]
    assert table.groups == {"s2": {"b"}}


@given(st.sets(st.text(max_size=4), max_size=30), st.text(max_size=3))
def test_a_scan_is_what_startswith_says(keys: set[str], prefix: str) -> None:
    table = Table("tombstones", TombstoneRow)
    for key in keys:
        table.put(key, TombstoneRow(key, 1))
    assert [found.key for found in table.scan(prefix)] == sorted(
        key for key in keys if key.startswith(prefix)
    )


@given(st.text(min_size=1, max_size=4), st.text(max_size=4))
def test_the_end_of_a_prefix_is_above_all_that_begin_so(prefix: str, rest: str) -> None:
    end = prefix_end(prefix)
    assert end is None or prefix + rest < end


def test_a_prefix_of_last_characters_has_no_end() -> None:
    assert prefix_end("\U0010ffff\U0010ffff") is None
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("\ud7ff") == "\ue000"

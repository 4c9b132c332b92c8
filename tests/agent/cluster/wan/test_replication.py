"""`fairlead.agent.cluster.wan.replication`: only what differs is written."""

from __future__ import annotations

from fairlead.agent.cluster.wan.replication import differences
from fairlead.core.commands import KVDelete, KVSet
from fairlead.core.rows import KVRow
from fairlead.core.state import State
from tests.core.deciding import run


def row(key: str, value: bytes | None, flags: int = 0) -> KVRow:
    return KVRow(0, key, flags, value)


def test_what_is_the_same_is_left_alone_the_rest_is_written_or_deleted() -> None:
    state = State()
    for key, value in (("a/same", b"1"), ("a/other", b"1"), ("a/gone", b"1"), ("b", b"1")):
        run(state, KVSet(key, value))
    theirs = [
        row("a/flags", b"1", 7),
        row("a/new", None),
        row("a/other", b"2"),
        row("a/same", b"1"),
        row("outside", b"1"),
    ]
    assert differences(state, "a/", theirs) == [
        KVSet("a/flags", b"1", 7),
        KVSet("a/new", None),
        KVSet("a/other", b"2"),
        KVDelete("a/gone"),
    ]


def test_after_them_nothing_differs_any_more() -> None:
    state = State()
    theirs = [row("a/1", b"1"), row("a/2", None, 3)]
    run(state, *differences(state, "a/", theirs))
    assert differences(state, "a/", theirs) == []

"""`fairlead.core.txn`: what the conversations cannot reach."""

from __future__ import annotations

from fairlead.core.commands import KVOp, KVSet, Txn
from fairlead.core.draft import Draft
from fairlead.core.state import State
from fairlead.core.txn import run_txn
from tests.core.deciding import run


def test_a_failed_transaction_does_not_raise_the_index() -> None:
    state = State()
    run(state, KVSet("a", b"v"))
    outcome = run(state, Txn([KVOp("set", "b", b"v"), KVOp("check-not-exists", "a")], 0))
    assert [(error.op_index, error.what) for error in outcome.errors] == [(1, 'key "a" exists')]
    assert state.index == 1
    assert list(state.kv.rows) == ["a"]


def test_all_rows_of_a_transaction_share_one_index() -> None:
    state = State()
    run(state, Txn([KVOp("set", key, b"v") for key in "abc"], 0))
    assert {row.modify_index for row in state.kv.rows.values()} == {1}
    assert state.index == 1


def test_operations_after_a_failed_one_are_tried_too() -> None:
    draft = Draft(State())
    ops = [KVOp("get", "a"), KVOp("bogus", "b"), KVOp("set", "", b"v"), KVOp("set", "c", b"v")]
    outcome = run_txn(draft, Txn(ops, 0))
    assert [error.op_index for error in outcome.errors] == [0, 1, 2]
    assert draft.is_empty


def test_a_tree_deleted_in_a_transaction_may_be_written_anew() -> None:
    state = State()
    run(state, KVSet("p/a", b"1"), KVSet("p/b", b"2"))
    ops = [KVOp("delete-tree", "p/"), KVOp("set", "p/b", b"3"), KVOp("get-tree", "p/")]
    outcome = run(state, Txn(ops, 0))
    assert [(row.key, row.value) for row in outcome.rows] == [("p/b", None), ("p/b", b"3")]
    assert [row.key for row in state.kv.scan("")] == ["p/b"]

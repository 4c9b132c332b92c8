"""Transactions: several operations, all or none.

Every operation that fails is reported, in order; if one does, nothing is
changed. Operations see what those before them did.
Source: Consul's transactions page; texts as observed on 1.8.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, Struct, structs

from fairlead.core import kv, txn_catalog
from fairlead.core.commands import KVDeleteTree, KVLock, KVOp, KVUnlock, Txn, TxnOp
from fairlead.core.draft import Draft
from fairlead.core.rows import KVRow
from fairlead.core.txn_catalog import TxnRow
from fairlead.errors import InvalidError

__all__ = ["TxnError", "TxnOutcome", "reads_only", "run_txn"]

_WRITE_VERBS = frozenset({"set", "cas", "lock", "unlock", "delete", "delete-cas", "delete-tree"})


def reads_only(ops: Sequence[TxnOp]) -> bool:
    """Whether a transaction can change nothing: then it is answered as a read."""
    return not any(
        op.verb in _WRITE_VERBS if isinstance(op, KVOp) else op.verb != txn_catalog.GET
        for op in ops
    )


class TxnError(Struct, frozen=True, rename="pascal"):
    """What went wrong with one operation."""

    op_index: int
    what: str


class TxnOutcome(Struct, frozen=True):
    """The rows the operations yield, or the errors of all that failed."""

    rows: list[TxnRow]
    errors: list[TxnError]


def run_txn(draft: Draft, command: Txn) -> TxnOutcome:
    """All of it, or the errors and no change at all.

    An operation on the catalog that names nothing is refused before anything is tried.
    """
    faults = txn_catalog.faults(command.ops)
    if faults:
        return TxnOutcome([], [TxnError(position, what) for position, what in faults])
    mark = draft.mark()
    rows: list[TxnRow] = []
    errors: list[TxnError] = []
    for position, op in enumerate(command.ops):
        try:
            if isinstance(op, KVOp):
                _run_kv(draft, op, rows, command.now_ns)
            else:
                txn_catalog.run(draft, op, rows, command.now_ns)
        except InvalidError as error:
            errors.append(TxnError(position, str(error)))
    if errors:
        draft.rollback(mark)
        return TxnOutcome([], errors)
    return TxnOutcome(rows, errors)


def _run_kv(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    rule = _VERBS.get(op.verb)
    if rule is None:
        raise InvalidError(f'unknown KV verb "{op.verb}"')
    if op.verb not in _PREFIX_VERBS:
        kv.check_key(op.key)
    rule(draft, op, rows, now_ns)


def _set(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    old = draft.kv.get(op.key)
    session = old.session if old is not None else UNSET
    row = kv.write_row(draft, old, op.key, op.value, op.flags, 0, session)
    rows.append(_without_value(row))


def _cas(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    if not kv.stands_at(draft.kv.get(op.key), op.index):
        raise InvalidError(f'failed to set key "{op.key}", index is stale')
    _set(draft, op, rows, now_ns)


def _lock(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    if kv.is_delayed(draft, op.key, now_ns):
        raise InvalidError(f'failed to lock key "{op.key}" due to lock delay')
    if not kv.lock_key(draft, KVLock(op.key, op.value, op.flags, op.session, now_ns)):
        raise InvalidError(f'failed to lock key "{op.key}", lock is already held')
    rows.append(_without_value(_written(draft, op.key)))


def _unlock(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    if not kv.unlock_key(draft, KVUnlock(op.key, op.value, op.flags, op.session)):
        raise InvalidError(
            f'failed to unlock key "{op.key}", lock isn\'t held, or is held by another session'
        )
    rows.append(_without_value(_written(draft, op.key)))


def _get(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    row = draft.kv.get(op.key)
    if row is None:
        raise InvalidError(f'key "{op.key}" doesn\'t exist')
    rows.append(row)


def _get_or_empty(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    rows.append(draft.kv.get(op.key) or KVRow(0, op.key, 0, None))


def _get_tree(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    rows.extend(draft.kv.scan(op.key))


def _check_index(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    row = draft.kv.get(op.key)
    if row is None:
        raise InvalidError(f'failed to check index, key "{op.key}" doesn\'t exist')
    if row.modify_index != op.index:
        raise InvalidError(
            f'failed index check for key "{op.key}", '
            f"current modify index {row.modify_index} != {op.index}"
        )
    rows.append(_without_value(row))


def _check_session(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    row = draft.kv.get(op.key)
    if row is None:
        raise InvalidError(f'failed to check session, key "{op.key}" doesn\'t exist')
    holder = row.session or ""
    if holder != op.session:
        raise InvalidError(
            f'failed session check for key "{op.key}", current session "{holder}" != "{op.session}"'
        )
    rows.append(_without_value(row))


def _check_not_exists(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    if draft.kv.get(op.key) is not None:
        raise InvalidError(f'key "{op.key}" exists')


def _delete(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    if draft.kv.get(op.key) is not None:
        kv.delete_row(draft, op.key)


def _delete_cas(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    row = draft.kv.get(op.key)
    if row is None:
        return
    if row.modify_index != op.index:
        raise InvalidError(f'failed to delete key "{op.key}", index is stale')
    kv.delete_row(draft, op.key)


def _delete_tree(draft: Draft, op: KVOp, rows: list[TxnRow], now_ns: int) -> None:
    kv.delete_tree(draft, KVDeleteTree(op.key))


def _without_value(row: KVRow) -> KVRow:
    """A row as the operations that do not read report it."""
    return structs.replace(row, value=None)


def _written(draft: Draft, key: str) -> KVRow:
    row = draft.kv.get(key)
    assert row is not None, "just written"
    return row


_PREFIX_VERBS = frozenset({"get-tree", "delete-tree"})
_VERBS: dict[str, Callable[[Draft, KVOp, list[TxnRow], int], None]] = {
    "set": _set,
    "cas": _cas,
    "lock": _lock,
    "unlock": _unlock,
    "get": _get,
    "get-or-empty": _get_or_empty,
    "get-tree": _get_tree,
    "check-index": _check_index,
    "check-session": _check_session,
    "check-not-exists": _check_not_exists,
    "delete": _delete,
    "delete-cas": _delete_cas,
    "delete-tree": _delete_tree,
}

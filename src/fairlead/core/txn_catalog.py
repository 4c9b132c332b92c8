"""The operations of transactions on nodes, services and checks.

The verbs are `set`, `cas`, `get`, `delete` and `delete-cas`; the index that a
compare-and-swap compares with is the `ModifyIndex` of the row that is given.
Source: Consul's transactions page and `agent/consul/state/txn.go` of 1.8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from fairlead.core import catalog
from fairlead.core.commands import CheckOp, KVOp, NodeOp, ServiceOp, TxnOp
from fairlead.core.draft import Draft
from fairlead.core.keys import check_key, node_key, service_key
from fairlead.core.rows import CheckRow, KVRow, NodeRow, Service
from fairlead.errors import InvalidError

__all__ = ["GET", "TxnRow", "faults", "run"]

GET = "get"
_VERBS = frozenset({"set", "cas", "get", "delete", "delete-cas"})
TxnRow: TypeAlias = KVRow | NodeRow | Service | CheckRow
R = TypeVar("R")


def faults(ops: Sequence[TxnOp]) -> list[tuple[int, str]]:
    """The positions of the operations that lack a name, and which."""
    found = []
    for position, op in enumerate(ops):
        if isinstance(op, KVOp | CheckOp) or op.verb == GET:
            continue
        if isinstance(op, NodeOp):
            if not op.node.node:
                found.append((position, "Must provide node"))
        elif op.service.id and not op.service.service:
            found.append((position, "Must provide service name with ID"))
    return found


def run(draft: Draft, op: NodeOp | ServiceOp | CheckOp, rows: list[TxnRow], now_ns: int) -> None:
    """Do one operation.

    Raises:
        InvalidError: it cannot be done, in Consul's words.
    """
    match op:
        case NodeOp():
            _run_node(draft, op, rows, now_ns)
        case ServiceOp():
            _run_service(draft, op, rows, now_ns)
        case CheckOp():
            _run_check(draft, op, rows, now_ns)


def _run_node(draft: Draft, op: NodeOp, rows: list[TxnRow], now_ns: int) -> None:
    node = op.node
    what = f'node "{node.node}"'
    old = draft.nodes.get(node_key(node.node))
    if _decided(op.verb, "Node", what, old, node.modify_index, rows):
        if op.verb.startswith("delete"):
            catalog.delete_node(draft, node.node, now_ns)
        else:
            catalog.put_node(draft, node, now_ns)
            rows.append(_there(draft.nodes.get(node_key(node.node))))


def _run_service(draft: Draft, op: ServiceOp, rows: list[TxnRow], now_ns: int) -> None:
    service = op.service
    service_id = service.id or service.service
    what = f'service "{service.id}" on node "{op.node}"'
    row = draft.services.get(service_key(op.node, service_id))
    old = row.service if row is not None else None
    if _decided(op.verb, "Service", what, old, service.modify_index, rows):
        if op.verb.startswith("delete"):
            catalog.delete_service(draft, op.node, service_id, now_ns)
        else:
            catalog.put_service(draft, op.node, service)
            rows.append(_there(draft.services.get(service_key(op.node, service_id))).service)


def _run_check(draft: Draft, op: CheckOp, rows: list[TxnRow], now_ns: int) -> None:
    check = op.check
    check_id = check.check_id or check.name
    what = f'check "{check_id}" on node "{check.node}"'
    key = check_key(check.node, check_id)
    if _decided(op.verb, "Check", what, draft.checks.get(key), check.modify_index, rows):
        if op.verb.startswith("delete"):
            catalog.delete_check(draft, key, now_ns)
        else:
            catalog.put_check(draft, check, now_ns)
            rows.append(_there(draft.checks.get(key)))


def _decided(
    verb: str,
    kind: str,
    what: str,
    old: NodeRow | Service | CheckRow | None,
    index: int,
    rows: list[TxnRow],
) -> bool:
    """Whether the operation is to write; what a `get` finds is added to `rows`.

    Raises:
        InvalidError: there is no such verb, nothing to get, or another index.
    """
    if verb not in _VERBS:
        raise InvalidError(f'unknown {kind} verb "{verb}"')
    if verb == GET:
        if old is None:
            raise InvalidError(f"{what} doesn't exist")
        rows.append(old)
        return False
    if verb == "cas" and (old.modify_index if old is not None else 0) != index:
        raise InvalidError(f"failed to set {what}, index is stale")
    if verb == "delete-cas" and (old is None or old.modify_index != index):
        raise InvalidError(f"failed to delete {what}, index is stale")
    return True


def _there(row: R | None) -> R:
    assert row is not None, "just written"
    return row

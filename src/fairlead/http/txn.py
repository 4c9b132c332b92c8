"""/v1/txn: several operations, all or none.

Source: Consul's transactions page. 128 operations and `get-or-empty` as of
Consul 1.14; the rest as observed on 1.8.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from fairlead.agent.agent import Agent
from fairlead.core.codec import encode_json
from fairlead.core.commands import KVOp, Txn, TxnOp
from fairlead.core.rows import CheckRow, KVRow, NodeRow, Service
from fairlead.core.txn import TxnOutcome, reads_only
from fairlead.core.txn_catalog import TxnRow
from fairlead.errors import TooLargeError
from fairlead.http.contracts import BodyLimit
from fairlead.http.messages import JSON, Request, Response, contact_headers
from fairlead.http.txn_bodies import parse_ops

__all__ = ["body_limit", "put"]

_OPS_LIMIT = 128
_MORE = " See https://www.consul.io/docs/agent/options.html#txn_max_req_len."


def body_limit(agent: Agent) -> BodyLimit:
    settings = agent.settings
    limit = max(settings.limits_txn_max_req_len, settings.limits_kv_max_value_size)
    return BodyLimit(limit, _MORE)


async def put(agent: Agent, request: Request) -> Response:
    ops = parse_ops(request.body, agent.settings.datacenter)
    if len(ops) > _OPS_LIMIT:
        raise TooLargeError(f"Transaction contains too many operations ({len(ops)} > {_OPS_LIMIT})")
    _check_sizes(ops, agent.settings.limits_kv_max_value_size)
    outcome: TxnOutcome = await agent.store.submit(Txn(ops, agent.clock.now_ns()))
    is_read = reads_only(ops)
    if outcome.errors:
        status, body = 409, _body(b"null", encode_json(outcome.errors), is_read)
    else:
        results = encode_json([_result(row) for row in outcome.rows])
        status, body = 200, _body(results, b"null", is_read)
    headers = contact_headers(agent.store.contact) if is_read else b""
    return Response(status, body, JSON, headers=headers)


def _body(results: bytes, errors: bytes, is_read: bool) -> bytes:
    more = b',"Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":""'
    return b'{"Results":%b,"Errors":%b%b}' % (results, errors, more if is_read else b"")


def _result(row: TxnRow) -> dict[str, Any]:
    """A row under the name of its kind; here, and only here, no tags are null."""
    match row:
        case KVRow():
            return {"KV": row}
        case NodeRow():
            return {"Node": row}
        case Service():
            return {"Service": structs.replace(row, tags=row.tags or None)}
        case CheckRow():
            fields = structs.asdict(row)
            tags = row.service_tags or None
            return {
                "Check": {_CHECK_NAMES[name]: fields[name] for name in fields}
                | {"ServiceTags": tags}
            }


_CHECK_NAMES = {field.name: field.encode_name for field in structs.fields(CheckRow)}


def _check_sizes(ops: Sequence[TxnOp], limit: int) -> None:
    for op in ops:
        if isinstance(op, KVOp) and op.value is not None and len(op.value) > limit:
            raise TooLargeError(
                f'Value for key "{op.key}" is too large ({len(op.value)} > {limit} bytes)'
            )

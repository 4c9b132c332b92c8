"""/v1/txn: several operations, all or none.

Source: Consul's transactions page. 128 operations and `get-or-empty` as of
Consul 1.14; the rest as observed on 1.8.7.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.core.codec import encode_json
from fairlead.core.commands import KVOp, Txn
from fairlead.core.rows import KVRow
from fairlead.core.txn import WRITE_VERBS, TxnOutcome
from fairlead.errors import InvalidError, TooLargeError
from fairlead.http.bodies import decode_json, json_type
from fairlead.http.contracts import BodyLimit
from fairlead.http.messages import JSON, Request, Response, contact_headers
from fairlead.http.params import UINT64_MAX

__all__ = ["body_limit", "put"]

_OPS_LIMIT = 128
_PARSE = "Failed to parse body"
_MORE = " See https://www.consul.io/docs/agent/options.html#txn_max_req_len."
_CATALOG_OPS = frozenset({"node", "service", "check"})


class _KVOp(Struct, rename="pascal", forbid_unknown_fields=True):
    verb: str
    key: str
    value: bytes | None = None
    flags: int = 0
    index: int = 0
    session: str = ""


class _Op(Struct, forbid_unknown_fields=True):
    KV: _KVOp


class _Result(Struct):
    KV: KVRow


_decode_ops = msgspec.json.Decoder(list[_Op]).decode


def body_limit(agent: Agent) -> BodyLimit:
    settings = agent.settings
    limit = max(settings.limits_txn_max_req_len, settings.limits_kv_max_value_size)
    return BodyLimit(limit, _MORE)


async def put(agent: Agent, request: Request) -> Response:
    ops = _parse(request.body)
    if len(ops) > _OPS_LIMIT:
        raise TooLargeError(f"Transaction contains too many operations ({len(ops)} > {_OPS_LIMIT})")
    _check_sizes(ops, agent.settings.limits_kv_max_value_size)
    outcome: TxnOutcome = await agent.store.submit(Txn(ops, agent.clock.now_ns()))
    reads_only = not any(op.verb in WRITE_VERBS for op in ops)
    if outcome.errors:
        status, body = 409, _body(b"null", encode_json(outcome.errors), reads_only)
    else:
        results = encode_json([_Result(row) for row in outcome.rows])
        status, body = 200, _body(results, b"null", reads_only)
    headers = contact_headers(agent.store.contact) if reads_only else b""
    return Response(status, body, JSON, headers=headers)


def _body(results: bytes, errors: bytes, reads_only: bool) -> bytes:
    more = b',"Index":0,"LastContact":0,"KnownLeader":true,"ConsistencyLevel":""'
    return b'{"Results":%b,"Errors":%b%b}' % (results, errors, more if reads_only else b"")


def _check_sizes(ops: list[KVOp], limit: int) -> None:
    for op in ops:
        if op.value is not None and len(op.value) > limit:
            raise TooLargeError(
                f'Value for key "{op.key}" is too large ({len(op.value)} > {limit} bytes)'
            )


# ---------------------------------------------------------------- parsing


def _parse(body: bytes) -> list[KVOp]:
    """The operations; the common spelling is decoded at once, any other field by field."""
    try:
        decoded = _decode_ops(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _parse_loosely(body)
    ops = []
    for item in decoded:
        op = item.KV
        if not (0 <= op.flags <= UINT64_MAX and 0 <= op.index <= UINT64_MAX):
            return _parse_loosely(body)
        ops.append(KVOp(op.verb, op.key, op.value or None, op.flags, op.index, op.session))
    return ops


def _parse_loosely(body: bytes) -> list[KVOp]:
    items = decode_json(body, _PARSE)
    if items is None:
        return []
    if not isinstance(items, list):
        raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(items)} into an array")
    return [op for item in items if (op := _parse_op(item)) is not None]


def _parse_op(item: Any) -> KVOp | None:
    if item is None:
        return None
    if not isinstance(item, dict):
        raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(item)} into an operation")
    for name, fields in item.items():
        if name.lower() in _CATALOG_OPS:
            raise InvalidError(f"{_PARSE}: {name} operations are not supported by this version")
        if name.lower() != "kv":
            raise InvalidError(f'{_PARSE}: json: unknown field "{name}"')
        if isinstance(fields, dict):
            return _parse_kv(fields)
        if fields is not None:
            raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(fields)} into KV")
    return None


def _parse_kv(fields: dict[str, Any]) -> KVOp:
    values: dict[str, Any] = {"verb": "", "key": ""}
    for name, value in fields.items():
        field = name.lower()
        if field == "namespace":
            continue
        if field not in _FIELDS:
            raise InvalidError(f'{_PARSE}: json: unknown field "{name}"')
        if value is not None:
            values[field] = _FIELDS[field](name, value)
    return KVOp(**values)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, value, "string")
    return value


def _number(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= UINT64_MAX:
        raise _wrong_type(name, value, "uint64")
    return value


def _base64(name: str, value: Any) -> bytes | None:
    try:
        return b64decode(_text(name, value), validate=True) or None
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"{_PARSE}: {name} is not valid base64 data") from error


def _wrong_type(name: str, value: Any, wanted: str) -> InvalidError:
    return InvalidError(
        f"{_PARSE}: json: cannot unmarshal {json_type(value)} into field {name} of type {wanted}"
    )


_FIELDS = {
    "verb": _text,
    "key": _text,
    "value": _base64,
    "flags": _number,
    "index": _number,
    "session": _text,
}

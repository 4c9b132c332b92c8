"""The body of `/v1/txn`: a list of operations on keys, nodes, services and checks."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

import msgspec
from msgspec import Struct

from fairlead.core.commands import CheckOp, KVOp, NodeOp, ServiceOp, TxnOp
from fairlead.core.rows import NodeRow
from fairlead.errors import InvalidError
from fairlead.http.bodies import decode_json, json_type
from fairlead.http.catalog_bodies import (
    CheckBody,
    NodeBody,
    ServiceBody,
    check_row,
    convert_body,
    service_row,
)
from fairlead.http.params import UINT64_MAX

__all__ = ["parse_ops"]

_PARSE = "Failed to parse body"


class _KVOp(Struct, rename="pascal", forbid_unknown_fields=True):
    verb: str
    key: str
    value: bytes | None = None
    flags: int = 0
    index: int = 0
    session: str = ""


class _Op(Struct, forbid_unknown_fields=True):
    KV: _KVOp


_decode_ops = msgspec.json.Decoder(list[_Op]).decode


def parse_ops(body: bytes, datacenter: str) -> list[TxnOp]:
    """The operations; the common spelling is decoded at once, any other field by field.

    Raises:
        InvalidError: it is no JSON, or not of this shape.
    """
    try:
        decoded = _decode_ops(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _parse_loosely(body, datacenter)
    ops: list[TxnOp] = []
    for item in decoded:
        op = item.KV
        if not (0 <= op.flags <= UINT64_MAX and 0 <= op.index <= UINT64_MAX):
            return _parse_loosely(body, datacenter)
        ops.append(KVOp(op.verb, op.key, op.value or None, op.flags, op.index, op.session))
    return ops


def _parse_loosely(body: bytes, datacenter: str) -> list[TxnOp]:
    items = decode_json(body, _PARSE)
    if items is None:
        return []
    if not isinstance(items, list):
        raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(items)} into an array")
    return [op for item in items if (op := _parse_op(item, datacenter)) is not None]


def _parse_op(item: Any, datacenter: str) -> TxnOp | None:
    """The operation of one element; of several in it, the first of KV, Node, Service, Check."""
    if item is None:
        return None
    if not isinstance(item, dict):
        raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(item)} into an operation")
    ops: dict[str, TxnOp] = {}
    for name, fields in item.items():
        kind = name.lower()
        if kind not in _KINDS:
            raise InvalidError(f'{_PARSE}: json: unknown field "{name}"')
        if isinstance(fields, dict):
            ops[kind] = _parse_kind(kind, fields, datacenter)
        elif fields is not None:
            raise InvalidError(f"{_PARSE}: json: cannot unmarshal {json_type(fields)} into {name}")
    return next((ops[kind] for kind in _KINDS if kind in ops), None)


_KINDS = ("kv", "node", "service", "check")


def _parse_kind(kind: str, fields: dict[str, Any], datacenter: str) -> TxnOp:
    if kind == "kv":
        return _parse_kv(fields)
    verb, node, row = "", "", None
    for name, value in fields.items():
        field = name.lower()
        if field == "verb":
            verb = _text(name, value or "")
        elif field == kind:
            row = value
        elif kind == "service" and field == "node":
            node = _text(name, value or "")
        else:
            raise InvalidError(f'{_PARSE}: json: unknown field "{name}"')
    if kind == "node":
        return NodeOp(verb, _node_row(convert_body(row, NodeBody, _PARSE), datacenter))
    if kind == "service":
        service = convert_body(row, ServiceBody, _PARSE)
        given = msgspec.structs.replace(service_row(service), modify_index=service.modify_index)
        return ServiceOp(verb, node, given)
    check = convert_body(row, CheckBody, _PARSE)
    given_check = check_row(check, typed=False)
    return CheckOp(verb, msgspec.structs.replace(given_check, modify_index=check.modify_index))


def _node_row(body: NodeBody, datacenter: str) -> NodeRow:
    return NodeRow(
        body.id,
        body.node,
        body.address,
        datacenter,
        body.tagged_addresses,
        body.meta,
        modify_index=body.modify_index,
    )


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

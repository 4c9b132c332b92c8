"""JSON bodies: decoding them as Consul does, with errors a person can act on.

Names of fields match without regard to case, as in Go's encoding/json.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fairlead.errors import InvalidError

__all__ = ["decode_json", "decode_object", "json_type"]

_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "bool",
    int: "number",
    float: "number",
}


def json_type(value: Any) -> str:
    """What JSON calls the type of a decoded value."""
    return _TYPES.get(type(value), "null")


def decode_json(body: bytes, prefix: str) -> Any:
    """The decoded body.

    Raises:
        InvalidError: `prefix`, then what is wrong and where.
    """
    if not body.strip():
        raise InvalidError(f"{prefix}: EOF")
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"{prefix}: {_first_lower(str(error))}") from error


def decode_object(body: bytes, prefix: str) -> dict[str, Any]:
    """The decoded body with its names in lower case; `null` is an object without fields.

    Raises:
        InvalidError: see `decode_json`, or it is not an object.
    """
    value = decode_json(body, prefix)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidError(f"{prefix}: json: cannot unmarshal {json_type(value)} into an object")
    return {name.lower(): item for name, item in value.items()}


def _first_lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]

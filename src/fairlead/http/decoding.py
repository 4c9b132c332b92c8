"""JSON bodies into structs, strictly: an unknown field or a wrong type is refused.

A struct's attribute `check_id` is the field `CheckID` in any case; an attribute
that ends in `_ns` is a duration, given as text (`"10s"`) or as a number of
nanoseconds. `null` stands for a field that is not there.
Source: Go's `encoding/json` with DisallowUnknownFields, as Consul 1.8.7 uses it.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin

from msgspec import Struct, structs

from fairlead.durations import parse_duration
from fairlead.errors import InvalidError
from fairlead.http.bodies import decode_json, json_type

__all__ = ["DECODE", "Names", "decode_struct"]

DECODE = "Request decode failed"

Names = Mapping[Any, Mapping[str, str]]
"""For some structs, other spellings of fields, in lower case, and the attributes they mean.

Empty stands for a field that is unknown after all; a `*` lets unknown fields pass.
"""

T = TypeVar("T", bound=Struct)
_GO_TYPES = {str: "string", int: "int", float: "float64", bool: "bool"}
_DURATION_SUFFIX = "_ns"
_INT64_MAX = 2**63 - 1


def decode_struct(body: bytes, type_: type[T], names: Names) -> T:
    """The struct that a body describes.

    Raises:
        InvalidError: it is no JSON, has an unknown field or a value of a wrong type.
    """
    value = decode_json(body, DECODE)
    if value is None:
        return type_()
    if not isinstance(value, dict):
        raise InvalidError(
            f"{DECODE}: json: cannot unmarshal {json_type(value)} into Go value of type struct"
        )
    try:
        return _struct(value, type_, names)
    except InvalidError as error:
        raise InvalidError(f"{DECODE}: {error}") from error


def _struct(fields: dict[str, Any], type_: type[T], names: Names) -> T:
    known = _attributes(type_)
    other = names.get(type_, {})
    values: dict[str, Any] = {}
    spelled: dict[str, Any] = {}
    for key, value in fields.items():
        lowered = key.lower()
        attribute = other.get(lowered, lowered)
        field = known.get(attribute.replace("_", "") if lowered in other else lowered)
        if field is None or other.get(lowered) == "":
            if "*" in other:
                continue
            raise InvalidError(f'json: unknown field "{key}"')
        if value is None:
            continue
        target = spelled if lowered in other else values
        if field.name.endswith(_DURATION_SUFFIX):
            target[field.name] = _duration(value, key)
        else:
            target[field.name] = _value(value, field.type, key, names)
    for attribute, value in spelled.items():
        # The other spelling counts only where the first says nothing.
        if not values.get(attribute):
            values[attribute] = value
    return type_(**values)


@cache
def _attributes(type_: type[Struct]) -> dict[str, structs.FieldInfo]:
    """The attributes of a struct by the name they have in JSON, in lower case."""
    return {
        field.name.removesuffix(_DURATION_SUFFIX).replace("_", ""): field
        for field in structs.fields(type_)
    }


def _value(value: Any, type_: Any, key: str, names: Names) -> Any:
    """One value as the type of its field."""
    if type_ is Any:
        return value
    origin = get_origin(type_)
    if origin in (Union, types.UnionType):
        (type_,) = [part for part in get_args(type_) if part is not type(None)]
        origin = get_origin(type_)
    if origin is list:
        (item_type,) = get_args(type_)
        if not isinstance(value, list):
            raise _wrong(value, type_, key)
        return [_value(_zero(item, item_type), item_type, key, names) for item in value]
    if origin is dict:
        item_type = get_args(type_)[1]
        if not isinstance(value, dict):
            raise _wrong(value, type_, key)
        return {
            name: _value(_zero(item, item_type), item_type, key, names)
            for name, item in value.items()
        }
    if issubclass(type_, Struct):
        if not isinstance(value, dict):
            raise _wrong(value, type_, key)
        return _struct(value, type_, names)
    return _scalar(value, type_, key)


def _scalar(value: Any, type_: type, key: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if type_ is float and is_number:
        return float(value)
    too_large = type_ is int and is_number and abs(value) > _INT64_MAX
    if type(value) is not type_ or too_large:
        shown = f"number {value}" if type_ is int and is_number else json_type(value)
        raise InvalidError(
            f"json: cannot unmarshal {shown} into Go struct field .{key} of type {_go_type(type_)}"
        )
    return value


def _zero(item: Any, type_: Any) -> Any:
    """What `null` in a list or a map stands for."""
    if item is not None or type_ is Any:
        return item
    origin = get_origin(type_)
    if origin in (list, dict):
        return origin()
    return {} if issubclass(type_, Struct) else type_()


def _duration(value: Any, key: str) -> int:
    if isinstance(value, str):
        return parse_duration(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidError(
            f"json: cannot unmarshal {json_type(value)} into Go struct field .{key} of type "
            "time.Duration"
        )
    return max(min(int(value), _INT64_MAX), -_INT64_MAX)


def _wrong(value: Any, type_: Any, key: str) -> InvalidError:
    return InvalidError(
        f"json: cannot unmarshal {json_type(value)} into Go struct field .{key} "
        f"of type {_go_type(type_)}"
    )


def _go_type(type_: Any) -> str:
    origin = get_origin(type_)
    if origin is list:
        return f"[]{_go_type(get_args(type_)[0])}"
    if origin is dict:
        return f"map[string]{_go_type(get_args(type_)[1])}"
    return _GO_TYPES.get(type_) or "object"

"""Configuration files: reading JSON and HCL, checking the keys, merging in order.

Later values win, lists grow, maps merge, as in Consul. A folder's files are
read in the order of their names; its own folders are not.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from fairlead.durations import INT64, parse_duration
from fairlead.errors import InvalidError, SettingsError
from fairlead.settings import hcl, schema
from fairlead.settings.schema import SCHEMA, USED

__all__ = ["check", "merge", "read_all", "read_path", "read_text", "unused_keys"]

_FORMATS = {".json": "json", ".hcl": "hcl"}
# NUL, which no path holds, and halves of surrogate pairs, which JSON can spell but UTF-8 cannot.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def read_path(path: Path, format_: str = "") -> list[dict[str, Any]]:
    """What one file holds, or each file of a folder.

    Raises:
        SettingsError: unreadable, no such syntax, unknown keys or wrong types: all of them.
    """
    if path.is_dir():
        files = sorted(
            file for file in path.iterdir() if file.suffix in _FORMATS and file.is_file()
        )
        return [read_text(_content(file), file.name, _FORMATS[file.suffix]) for file in files]
    if not format_ and path.suffix not in _FORMATS:
        raise SettingsError(
            f"file {path} has unknown extension; must be .hcl or .json, or format must be set",
            hint="rename it, or say which it is with -config-format",
        )
    return [read_text(_content(path), path.name, format_ or _FORMATS[path.suffix])]


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"failed to parse {path.name}: it is not UTF-8 text") from error


def read_text(text: str, name: str, format_: str) -> dict[str, Any]:
    """What one text says; `name` is for the errors.

    Raises:
        SettingsError: see `read_path`.
    """
    try:
        raw = (
            json.loads(text, parse_constant=_refuse_constant)
            if format_ == "json"
            else hcl.loads(text)
        )
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"failed to parse {name}: {error or 'nested too deeply'}") from error
    if raw is None or raw == []:
        raw = {}
    if not isinstance(raw, dict):
        raise SettingsError(f"failed to parse {name}: it must hold an object of keys")
    faults: list[str] = []
    checked = check(raw, SCHEMA, "", faults)
    if faults:
        raise SettingsError(f"failed to parse {name}: {_listed(faults)}")
    return checked


def _refuse_constant(name: str) -> NoReturn:
    """Python's JSON has an Infinity and a NaN; nobody else's has."""
    raise ValueError(f"{name} is not JSON")


def _listed(faults: list[str]) -> str:
    count = f"{len(faults)} error{'s' if len(faults) > 1 else ''} occurred:"
    return "\n".join([count, *(f"\t* {fault}" for fault in faults)])


# ---------------------------------------------------------------- keys and types


def check(
    raw: dict[str, Any], known: dict[str, Any], path: str, faults: list[str]
) -> dict[str, Any]:
    """`raw` with its values in the types of `known`; what is wrong goes to `faults`."""
    checked = {}
    for key, value in raw.items():
        full = f"{path}{key}"
        if key not in known:
            faults.append(_unknown(full, key, known))
        elif isinstance(known[key], schema.Objects):
            checked[key] = _objects(value, known[key], full, faults)
        elif isinstance(known[key], dict):
            section = _section(value, full, faults)
            if section is not None:
                checked[key] = check(section, known[key], f"{full}.", faults)
        elif value is not None:
            checked[key] = _typed(value, known[key], full, faults)
    return checked


def _unknown(full: str, key: str, known: dict[str, Any]) -> str:
    near = get_close_matches(key, known, 1, 0.6)
    shown = full if full.isprintable() else ascii(full)
    return f"invalid config key {shown}" + (f' (did you mean "{near[0]}"?)' if near else "")


def _section(value: Any, full: str, faults: list[str]) -> dict[str, Any] | None:
    """HCL gives a list where a block stands more than once."""
    if isinstance(value, list) and all(isinstance(part, dict) for part in value):
        merged: dict[str, Any] = {}
        for part in value:
            merged = merge(merged, part)
        return merged
    if isinstance(value, dict):
        return value
    if value is not None:
        faults.append(f"'{full}' expected a map, got {_type_name(value)}")
    return None


def _objects(value: Any, known: schema.Objects, full: str, faults: list[str]) -> Any:
    """A list of objects, or a map of them, each with its keys checked."""
    if known.named:
        named = _section(value, full, faults) or {}
        parts = {name: _section(part, f"{full}.{name}", faults) for name, part in named.items()}
        return {
            name: check(part or {}, known.keys, f"{full}.{name}.", faults)
            for name, part in parts.items()
        }
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    many = len(items) > 1 or full.endswith("s")
    checked = []
    for number, item in enumerate(items):
        path = f"{full}[{number}]" if many else full
        if isinstance(item, dict):
            checked.append(check(item, known.keys, f"{path}.", faults))
        else:
            faults.append(f"'{path}' expected a map, got {_type_name(item)}")
    return checked


def _typed(value: Any, kind: str, full: str, faults: list[str]) -> Any:
    try:
        converted = _CONVERT[kind](value)
    except InvalidError as error:
        faults.append(f"{full}: {error}")
        return None
    if converted is None:
        faults.append(f"'{full}' expected type '{kind}', got {_type_name(value)}")
    return converted


def _type_name(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "number", float: "number", list: "list", dict: "map"}
    return f"unconvertible type '{names.get(type(value), type(value).__name__)}'"


# Each gives None for another type, and raises InvalidError for a value that cannot be used.


def _text(value: Any) -> Any:
    """Text that can be a path, a name or a header, and be told to clients."""
    if not isinstance(value, str):
        return None
    if _UNWRITABLE.search(value):
        raise InvalidError(f"{value!a} is not UTF-8 text without NUL")
    return value


def _number(value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidError("the number is too large")
    return value


def _integer(value: Any) -> Any:
    number = _number(value)
    if number is None or number != int(number):
        return None
    if int(number) not in INT64:
        raise InvalidError(f"{number} is beyond 64 bits")
    return int(number)


def _duration(value: Any) -> Any:
    return parse_duration(_text(value)) if isinstance(value, str) else _integer(value)


def _strings(value: Any) -> Any:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        return None
    return [_text(item) for item in items]


def _map(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        value = {key: item for part in value for key, item in part.items()}
    if not isinstance(value, dict):
        return None
    return {
        _text(key): _text(item) if isinstance(item, str) else json.dumps(item)
        for key, item in value.items()
    }


def _lists(value: Any) -> Any:
    """A block of lists; HCL gives a list of one where it stands once."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, dict):
        return None
    lists = {key: _strings(item) for key, item in value.items()}
    return lists if None not in lists.values() else None


_CONVERT: dict[str, Callable[[Any], Any]] = {
    schema.STR: _text,
    schema.BOOL: lambda value: value if isinstance(value, bool) else None,
    schema.INT: _integer,
    schema.FLOAT: _number,
    schema.DURATION: _duration,
    schema.LIST: _strings,
    schema.LISTS: _lists,
    schema.MAP: _map,
    schema.ANY: lambda value: value,
}


# ---------------------------------------------------------------- merging


def merge(base: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """`base` with `more` over it: later values win, lists grow, maps merge.

    >>> merge({"a": 1, "l": [1], "m": {"x": 1}}, {"a": 2, "l": [2], "m": {"y": 2}})
    {'a': 2, 'l': [1, 2], 'm': {'x': 1, 'y': 2}}
    """
    merged = dict(base)
    for key, value in more.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            merged[key] = merge(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = old + value
        else:
            merged[key] = value
    return merged


def unused_keys(raw: dict[str, Any], path: str = "") -> Iterable[str]:
    """The keys that are set and known but have no effect yet, in order of appearance."""
    for key, value in raw.items():
        full = f"{path}{key}"
        section = SCHEMA[key] if not path else None
        if isinstance(section, dict) and isinstance(value, dict):
            yield from unused_keys(value, f"{full}.")
        elif full not in USED:
            yield full


def read_all(paths: Iterable[str], format_: str = "") -> dict[str, Any]:
    """Files and folders, merged in the order given.

    Raises:
        SettingsError: see `read_path`; or a path that is not there.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        for raw in read_path(Path(path), format_):
            merged = merge(merged, raw)
    return merged

"""Rows to bytes and back: the JSON of the API, also on disk and in snapshots.

FORMAT is raised when rows of older versions can no longer be read as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from fairlead.core.table import Table
from fairlead.errors import InvalidError

__all__ = ["DECODE_ERRORS", "FORMAT", "decode_json", "encode_json", "load_rows"]

FORMAT = 1

DECODE_ERRORS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""All that msgspec raises over bytes that are not what they should be."""

_SHOWN = 60

encode_json = msgspec.json.Encoder().encode
"""Any row, or list of rows, as JSON."""


_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def decode_json(text: bytes | str, row_type: type) -> Any:
    """One row of that type.

    Raises:
        MsgspecError: it is none.
    """
    decoder = _decoders.get(row_type)
    if decoder is None:
        decoder = _decoders[row_type] = msgspec.json.Decoder(row_type)
    return decoder.decode(text)


def load_rows(table: Table[Any], rows: Iterable[tuple[str, bytes | str]]) -> None:
    """Make `rows` (key, JSON) the content of `table`.

    Raises:
        InvalidError: a row is not of that table's type, or cannot stand under its key.
    """
    decode = msgspec.json.Decoder(table.row_type).decode
    loaded: dict[str, Any] = {}
    for key, text in rows:
        # A damaged file may hold bytes for a key; and engines may end a key at its NUL, so that
        # deleting "a\0b" would delete "a".
        if not isinstance(key, str) or "\0" in key:
            raise _unfit(table, key, "its key is no text, or holds a NUL character")
        if key in loaded:
            raise _unfit(table, key, "it is there twice")
        try:
            loaded[key] = decode(text)
        except DECODE_ERRORS as error:
            raise _unfit(table, key, str(error)) from error
    table.load(loaded)


def _unfit(table: Table[Any], key: str, why: str) -> InvalidError:
    return InvalidError(f'table "{table.name}", row {key[:_SHOWN]!r}: {why}')

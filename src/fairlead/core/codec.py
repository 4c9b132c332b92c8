"""Rows to bytes and back: the JSON of the API, also on disk and in snapshots.

FORMAT is raised when rows of older versions can no longer be read as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from fairlead.core.table import Table
from fairlead.errors import InvalidError

__all__ = ["FORMAT", "encode_json", "load_rows"]

FORMAT = 1

encode_json = msgspec.json.Encoder().encode
"""Any row, or list of rows, as JSON."""


def load_rows(table: Table[Any], rows: Iterable[tuple[str, bytes | str]]) -> None:
    """Make `rows` (key, JSON) the content of `table`.

    Raises:
        InvalidError: a row is not of that table's type.
    """
    decode = msgspec.json.Decoder(table.row_type).decode
    try:
        table.load({key: decode(text) for key, text in rows})
    except msgspec.MsgspecError as error:
        raise InvalidError(
            f'table "{table.name}" holds a row that cannot be read: {error}'
        ) from error

"""What every read returns: the value, its index, and what to wait on for the next one."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = ["Read", "Watch"]


class Watch(Struct, frozen=True, gc=False):
    """One key of a table, or (`prefix`) every key that begins with `key`."""

    table: str
    key: str = ""
    prefix: bool = True


class Read(Struct, frozen=True):
    """An answer from memory; `index` is never 0, `watches` cover all it was made from."""

    value: Any
    index: int
    watches: tuple[Watch, ...]

"""One ordered table in memory: rows by key, prefix scans, groups by a field.

Keys are text; text orders by code point, which is the byte order of UTF-8.
`index` is the index of the last command that changed the table.

Rule: a table knows neither what its rows mean nor who waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedList

__all__ = ["Table", "prefix_end"]

R = TypeVar("R")


def prefix_end(prefix: str) -> str | None:
    """The first key after all that begin with `prefix`; None when there is no such key.

    >>> prefix_end("a/")
    'a0'
    """
    for position in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[position]) + 1
        if code <= 0x10FFFF:
            # Surrogates are no characters: what follows U+D7FF is U+E000.
            return prefix[:position] + chr(0xE000 if code == 0xD800 else code)
    return None


class Table(Generic[R]):
    """Rows of one type. `group_by` gives a value by which rows are also found, unless empty."""

    __slots__ = ("group_by", "groups", "index", "keys", "name", "row_type", "rows")

    def __init__(
        self, name: str, row_type: type[R], group_by: Callable[[R], Any] | None = None
    ) -> None:
        self.name = name
        self.row_type = row_type
        self.group_by = group_by
        self.groups: dict[Any, set[str]] = {}
        self.rows: dict[str, R] = {}
        self.keys: SortedList[str] = SortedList()
        self.index = 0

    def __len__(self) -> int:
        return len(self.rows)

    def load(self, rows: dict[str, R]) -> None:
        """Take `rows` as the whole content."""
        self.rows = rows
        self.keys = SortedList(rows)
        self.groups = {}
        if self.group_by:
            for key, row in rows.items():
                self._join(key, row)

    def put(self, key: str, row: R) -> None:
        old = self.rows.get(key)
        if old is None:
            self.keys.add(key)
        elif self.group_by:
            self._leave(key, old)
        self.rows[key] = row
        if self.group_by:
            self._join(key, row)

    def delete(self, key: str) -> None:
        """Remove a row; one that is not there is no fault."""
        row = self.rows.pop(key, None)
        if row is not None:
            self.keys.remove(key)
            if self.group_by:
                self._leave(key, row)

    def delete_many(self, keys: Iterable[str]) -> None:
        """Remove so many rows that sorting the rest anew is cheaper than removing one by one."""
        for key in keys:
            row = self.rows.pop(key, None)
            if row is not None and self.group_by:
                self._leave(key, row)
        self.keys = SortedList(self.rows)

    def keys_under(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in order."""
        if not prefix:
            return iter(self.keys)
        return self.keys.irange(prefix, prefix_end(prefix), (True, False))

    def scan(self, prefix: str) -> list[R]:
        """The rows whose keys begin with `prefix`, in key order."""
        return list(map(self.rows.__getitem__, self.keys_under(prefix)))

    def _join(self, key: str, row: R) -> None:
        value = self.group_by(row) if self.group_by else None
        if value:
            self.groups.setdefault(value, set()).add(key)

    def _leave(self, key: str, row: R) -> None:
        value = self.group_by(row) if self.group_by else None
        if value:
            group = self.groups[value]
            group.discard(key)
            if not group:
                del self.groups[value]

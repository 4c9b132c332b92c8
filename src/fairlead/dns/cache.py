"""Finished answers, kept by the bytes of their questions until what they rest on changes.

A kept answer knows the rows it was made from: it is good as long as each is the
very same row. Where order is chance several orders are kept, given in turn: the
first askings make one each, later ones now and then, and in the end each is made
anew from time to time, so that all instances have their share.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead.dns.results import Answer

__all__ = ["Cache"]

# How many orders of one answer are kept: so many at once, the others one in so many askings ...
_ORDERS = 8
_FIRST_ORDERS = 3
_GROWTH = 16
# ... and after how many askings one is made anew.
_RENEWAL = 64
# Beside the bytes: what the objects of an entry take, about.
_OVERHEAD_BYTES = 500
_SECOND_NS = 1_000_000_000


class _Entry:
    __slots__ = ("asked", "is_shuffled", "orders", "rows", "size", "tables", "until_ns")

    def __init__(self, answer: Answer, until_ns: int) -> None:
        self.asked = 0
        self.is_shuffled = answer.is_shuffled
        self.orders: list[bytes] = []
        self.rows = tuple(answer.rows)
        self.tables = tuple(answer.tables)
        self.until_ns = until_ns
        self.size = 0


class Cache:
    """At most `limit_bytes` of answers; the oldest go first."""

    def __init__(self, limit_bytes: int, now_ns: Callable[[], int]) -> None:
        self._limit = limit_bytes
        self._now_ns = now_ns
        self._entries: dict[bytes, _Entry] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def clear(self) -> None:
        self._entries.clear()
        self.size = 0

    def find(self, key: bytes) -> bytes | None:
        """An answer that is still true; None when one must be made."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        for rows, name, row in entry.rows:
            if rows.get(name) is not row:
                self._drop(key)
                return None
        for table, index in entry.tables:
            if table.index != index:
                self._drop(key)
                return None
        if entry.until_ns and self._now_ns() >= entry.until_ns:
            self._drop(key)
            return None
        orders = entry.orders
        if not entry.is_shuffled:
            return orders[0]
        entry.asked = asked = entry.asked + 1
        have = len(orders)
        if have == _ORDERS:
            return orders[asked % _ORDERS] if asked % _RENEWAL else None
        return orders[asked % have] if asked >= _FIRST_ORDERS and asked % _GROWTH else None

    def add(self, key: bytes, answer: Answer, made: bytes) -> None:
        """Keep an answer, or one more order of it."""
        entry = self._entries.get(key)
        if entry is not None:
            # `find` has just seen that the other orders are true.
            if len(entry.orders) < _ORDERS:
                entry.orders.append(made)
                entry.size += len(made)
                self._grow(len(made))
            else:
                entry.orders[entry.asked // _RENEWAL % _ORDERS] = made
            return
        # The time of day is in seconds: what holds it is true for the rest of this one.
        until_ns = (self._now_ns() // _SECOND_NS + 1) * _SECOND_NS if answer.is_dated else 0
        entry = _Entry(answer, until_ns)
        entry.orders.append(made)
        entry.size = _OVERHEAD_BYTES + len(key) + len(made)
        self._entries[key] = entry
        self._grow(entry.size)

    def _grow(self, size: int) -> None:
        self.size += size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        self.size -= self._entries.pop(key).size

"""Finished answers, kept by the bytes of their questions until what they rest on changes.

A kept answer knows the rows it was made from: it is good as long as each is the
very same row. Where order is chance there are several answers to a question,
given in turn and made anew one by one, so that all instances have their share.
"""

from __future__ import annotations

from collections.abc import Callable

from fairlead.dns.answers import Answer

__all__ = ["Cache"]

# How many orders of one answer are kept, and after how many askings one is made anew.
_ORDERS = 16
_RENEWAL = 64
# Beside the bytes: what the objects of an entry take, about.
_OVERHEAD_BYTES = 500
_SECOND_NS = 1_000_000_000


class _Entry:
    __slots__ = ("asked", "orders", "rows", "size", "tables", "until_ns")

    def __init__(self, answer: Answer, until_ns: int) -> None:
        self.asked = 0
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
        if len(orders) == 1:
            return orders[0]
        entry.asked = asked = entry.asked + 1
        if not asked % _RENEWAL:
            return None
        return orders[asked % _ORDERS]

    def add(self, key: bytes, answer: Answer, make: Callable[[], bytes], first: bytes) -> None:
        """Keep an answer, `first`; where order is chance `make` gives others."""
        entry = self._entries.get(key)
        if entry is not None:
            # Its turn to be made anew: the others are as true as before.
            place = entry.asked // _RENEWAL % _ORDERS
            entry.orders[place] = first
            return
        # The time of day is in seconds: what holds it is true for the rest of this one.
        until_ns = (self._now_ns() // _SECOND_NS + 1) * _SECOND_NS if answer.is_dated else 0
        entry = _Entry(answer, until_ns)
        entry.orders.append(first)
        if answer.is_shuffled:
            entry.orders += (make() for _ in range(_ORDERS - 1))
        entry.size = _OVERHEAD_BYTES + len(key) + sum(map(len, entry.orders))
        self._entries[key] = entry
        self.size += entry.size
        while self.size > self._limit:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: bytes) -> None:
        self.size -= self._entries.pop(key).size

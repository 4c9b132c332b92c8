"""From a batch to etcd's operations, and how many of them fit into one transaction.

Rule: asks nothing of etcd.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from fairlead.engines import Batch
from fairlead.engines.etcd.address import Address
from fairlead.engines.etcd.failures import RefusedError
from fairlead.engines.etcd.layout import Layout, Operation, end_of, put, remove

__all__ = [
    "Changes",
    "Limits",
    "as_bytes",
    "as_changes",
    "operations",
    "packed",
    "put_size",
    "stepwise",
]

T = TypeVar("T")

# What a request holds beside keys and values: frames, comparisons, the index, the token.
_SPARE_BYTES = 8192
_OPERATION_BYTES = 32


class Changes(Struct, frozen=True, array_like=True):
    """A batch's changes with etcd's keys: prefixes go first, then keys, then puts come."""

    prefixes: list[bytes]
    deletes: list[bytes]
    puts: list[tuple[bytes, bytes]]

    def size(self) -> int:
        """Bytes of the request that makes them, about."""
        count = len(self.prefixes) + len(self.deletes) + len(self.puts)
        keys = 2 * sum(map(len, self.prefixes)) + sum(map(len, self.deletes))
        return keys + sum(map(put_size, self.puts)) + count * _OPERATION_BYTES


class Limits(Struct, frozen=True):
    """What one transaction takes, the index not counted."""

    operations: int
    size: int

    @classmethod
    def of(cls, address: Address) -> Limits:
        return cls(address.max_txn_ops - 1, address.max_request_bytes - _SPARE_BYTES)

    def check(self, changes: Changes) -> None:
        """Refuse what no transaction can hold.

        Raises:
            RefusedError: a row is too long.
        """
        for key, value in changes.puts:
            if put_size((key, value)) + _OPERATION_BYTES > self.size:
                raise RefusedError(
                    f"the row {key.decode()[:100]} has {len(value)} bytes, more than etcd takes"
                    f" ({self.size}): raise its --max-request-bytes,"
                    " and max_request_bytes in the engine's address"
                )


def as_changes(layout: Layout, batch: Batch) -> Changes:
    return Changes(
        [layout.row(table, prefix) for table, prefix in batch.prefix_deletes],
        [layout.row(table, key) for table, key in batch.deletes],
        [(layout.row(row.table, row.key), as_bytes(row.text)) for row in batch.puts],
    )


def as_bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


def operations(changes: Changes) -> list[Operation]:
    """All of them for one transaction.

    etcd refuses one that deletes a range and puts a key in it, so ranges are cut there.
    """
    kept = sorted(key for key, _ in changes.puts) if changes.prefixes else []
    ranges = [remove(*piece) for prefix in changes.prefixes for piece in _pieces(prefix, kept)]
    return [
        *ranges,
        *map(remove, changes.deletes),
        *(put(key, value) for key, value in changes.puts),
    ]


def _pieces(prefix: bytes, kept: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The ranges below `prefix` between the keys that stay, which are sorted."""
    start, end = prefix, end_of(prefix)
    for key in kept[bisect_left(kept, prefix) : bisect_left(kept, end)]:
        if start < key:
            yield start, key
        start = key + b"\0"
    if start < end:
        yield start, end


def stepwise(changes: Changes, limits: Limits) -> Iterator[list[Operation]]:
    """The same in several transactions, to be made in this order."""
    for prefixes in packed(changes.prefixes, _range_size, limits, limits.operations):
        yield [remove(prefix, end_of(prefix)) for prefix in prefixes]
    for deletes in packed(changes.deletes, len, limits, limits.operations):
        yield [remove(key) for key in deletes]
    for puts in packed(changes.puts, put_size, limits, limits.operations):
        yield [put(key, value) for key, value in puts]


def packed(
    items: Iterable[T], size: Callable[[T], int], limits: Limits, most: int = 100_000
) -> Iterator[list[T]]:
    """The items in order, in lists that fit into one request, of at most `most`."""
    part: list[T] = []
    total = 0
    for item in items:
        needed = size(item) + _OPERATION_BYTES
        if part and (len(part) == most or total + needed > limits.size):
            yield part
            part, total = [], 0
        part.append(item)
        total += needed
    if part:
        yield part


def put_size(pair: tuple[bytes, bytes]) -> int:
    return len(pair[0]) + len(pair[1])


def _range_size(prefix: bytes) -> int:
    return 2 * len(prefix)

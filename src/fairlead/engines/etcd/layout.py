"""Where everything is in etcd, and what is written there.

    PREFIXrows/TABLE/KEY         a row's JSON
    PREFIXmeta/index             {"Index":120,"Tables":{"kv":118}}, in every batch's transaction
    PREFIXmeta/cluster           {"Format":1,"Datacenter":"dc1","ID":"…"}
    PREFIXleader                 {"Node":…,"ID":…,"Address":…}, as long as its lease lives
    PREFIXintent/NAME/head       a batch of several transactions is committed from here on
    PREFIXintent/NAME/chunk/N    its changes, msgpack
    PREFIXintent/NAME/step       how many of its transactions are made, as this key's version

Rule: names and encodings only; asks nothing of etcd.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from aetcd import rpc
from msgspec import Struct

from fairlead.engines import DAMAGED_HINT, Leader, StoredRow
from fairlead.errors import SettingsError

__all__ = [
    "FORMAT",
    "ClusterMark",
    "Head",
    "IndexMark",
    "Layout",
    "Operation",
    "compare",
    "end_of",
    "get",
    "put",
    "read",
    "remove",
    "write",
]

FORMAT = 1


class IndexMark(Struct, frozen=True, rename="pascal"):
    """The last index, and that of each table's last change."""

    index: int
    tables: dict[str, int] = {}


class ClusterMark(Struct, frozen=True):
    """Whose rows these are."""

    format: int = msgspec.field(name="Format")
    datacenter: str = msgspec.field(name="Datacenter")
    id: str = msgspec.field(name="ID")


class Head(Struct, frozen=True, rename="pascal"):
    """A batch that is committed although not all its rows are written; `replace`: all others go."""

    index: int
    replace: bool = False


class Layout:
    """The keys under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.text = prefix
        self.prefix = prefix.encode()
        self.rows = self.prefix + b"rows/"
        self.index = self.prefix + b"meta/index"
        self.cluster = self.prefix + b"meta/cluster"
        self.leader = self.prefix + b"leader"
        self.intents = self.prefix + b"intent/"

    def row(self, table: str, key: str) -> bytes:
        return self.rows + f"{table}/{key}".encode()

    def name(self, key: bytes) -> tuple[str, str]:
        """Table and key of a row's key.

        Raises:
            SettingsError: it is no text, and so not ours.
        """
        try:
            table, _, name = key[len(self.rows) :].decode().partition("/")
        except UnicodeDecodeError as error:
            raise self.damage(f"the key {key[:100]!r} is no text") from error
        return table, name

    def stored(self, key: bytes, value: bytes) -> StoredRow:
        return StoredRow(*self.name(key), value)

    def intent(self, name: str) -> bytes:
        return self.intents + name.encode() + b"/"

    def intent_name(self, key: bytes) -> tuple[str, bool]:
        """The intent a key belongs to, and whether the key is its head."""
        name, _, part = key[len(self.intents) :].partition(b"/")
        return name.decode(errors="replace"), part == b"head"

    def damage(self, what: str) -> SettingsError:
        return SettingsError(f"etcd under {self.text} is damaged: {what}", hint=DAMAGED_HINT)


def end_of(prefix: bytes) -> bytes:
    """The first key after all that begin with `prefix`, which is not all bytes 255.

    >>> end_of(b"/a/"), end_of(b"a" + bytes([255]))
    (b'/a0', b'b')
    """
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


_Mark = IndexMark | ClusterMark | Head | Leader
T = TypeVar("T", IndexMark, ClusterMark, Head, Leader)


def write(mark: _Mark) -> bytes:
    return msgspec.json.encode(mark)


def read(kind: type[T], value: bytes, layout: Layout) -> T:
    """The mark in a value.

    Raises:
        SettingsError: it is none.
    """
    try:
        return msgspec.json.decode(value, type=kind)
    except msgspec.DecodeError as error:
        raise layout.damage(f"{value[:60]!r} is no {kind.__name__}: {error}") from error


# Operations are dictionaries: as parts of a larger message they are made in half the time.
Operation = dict[str, Any]


def get(
    key: bytes, end: bytes = b"", *, serializable: bool = False, keys_only: bool = False
) -> Operation:
    request = {"key": key, "range_end": end, "serializable": serializable, "keys_only": keys_only}
    return {"request_range": request}


def put(key: bytes, value: bytes, lease: int = 0) -> Operation:
    return {"request_put": {"key": key, "value": value, "lease": lease}}


def remove(key: bytes, end: bytes = b"") -> Operation:
    return {"request_delete_range": {"key": key, "range_end": end}}


def compare(key: bytes, what: str, number: int) -> rpc.Compare:
    """That a key's `create_revision`, `mod_revision` or `version` is `number`; 0: no such key."""
    target = {"create_revision": "CREATE", "mod_revision": "MOD", "version": "VERSION"}[what]
    return rpc.Compare(
        key=key, target=rpc.Compare.CompareTarget.Value(target), result=0, **{what: number}
    )

"""The places a state can be moved from and to, as they are written on a command line.

/var/lib/fairlead            the data directory of a single server
sqlite:PATH                  its database
etcd:HOST:PORT,…[?prefix=…]  an etcd that is run by others
http://HOST:PORT             a cluster, or a single server, that runs
backup.snap                  a snapshot; snapshot:PATH whatever its name
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from fairlead.client import Client
from fairlead.engines import Contents
from fairlead.errors import InvalidError

__all__ = ["Connect", "Named", "Place", "named"]

Connect = Callable[[str], Client]
"""From the address of an agent to a client of it."""

_DATABASE = "fairlead.db"
_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"
_SNAPSHOTS = (".snap", ".tgz", ".tar.gz")
_KINDS = (
    "write a data directory, sqlite:PATH, etcd:HOST:PORT, http://HOST:PORT or a snapshot's name"
)


class Place(Protocol):
    """Where a state is, or is to be. Taken by `open`, nobody else can use it until `close`."""

    name: str
    """For people."""

    async def open(self) -> None:
        """Raises: FairleadError, it is in use, or cannot be used; it says why."""

    async def read(self) -> Contents:
        """All that is there; nothing when there is nothing yet.

        Raises:
            FairleadError: it cannot be read.
        """

    async def write(self, contents: Contents) -> None:
        """Make that all there is, atomically.

        Raises:
            FairleadError: it cannot be; then all is as it was.
        """

    async def running(self) -> set[str]:
        """The keys of the nodes of the servers that run there; none where nobody does."""

    async def close(self) -> None:
        """Let go of it; what `open` made and nothing was written to is gone."""


class Named(NamedTuple):
    """What a text names: the kind, and the rest of it."""

    kind: str
    rest: str


def named(text: str, *, is_source: bool) -> Named:
    """The kind of place: `sqlite`, `etcd`, `http` or `snapshot`.

    Raises:
        InvalidError: it names none, or nothing is there.
    """
    scheme, colon, rest = text.partition(":")
    if text.startswith(("http://", "https://", "unix://")):
        return Named("http", text)
    if colon and scheme == "memory":
        raise InvalidError("memory: keeps nothing", hint=_KINDS)
    if colon and scheme in ("sqlite", "etcd", "snapshot"):
        if not rest.strip():
            raise InvalidError(f'"{text}" names no place', hint=_KINDS)
        if scheme in ("sqlite", "snapshot"):
            _check_there(Path(rest), is_source=is_source)
        return Named(scheme, rest)
    if not text or "\0" in text:
        raise InvalidError(f"{text!r} names no place", hint=_KINDS)
    return _by_path(text, is_source=is_source)


def _by_path(text: str, *, is_source: bool) -> Named:
    path = Path(text)
    if path.is_dir() or (text.endswith("/") and not is_source):
        return _data_dir(path, is_source=is_source)
    _check_there(path, is_source=is_source)
    if path.exists():
        return Named(_kind_of_file(path), text)
    if text.endswith(_SNAPSHOTS):
        return Named("snapshot", text)
    if text.endswith(".db"):
        return Named("sqlite", text)
    if ":" in text and not path.parent.name:
        raise InvalidError(f'"{text}" names no place', hint=_KINDS)
    return _data_dir(path, is_source=False)


def _data_dir(path: Path, *, is_source: bool) -> Named:
    if (path / "etcd" / "cluster.json").exists():
        raise InvalidError(
            f"{path} is the data directory of one of several servers",
            hint="start them, and name the cluster by the HTTP address of one: http://HOST:8500",
        )
    database = path / _DATABASE
    if is_source and not database.exists():
        raise InvalidError(f"there is no {_DATABASE} in {path}")
    return Named("sqlite", str(database))


def _check_there(path: Path, *, is_source: bool) -> None:
    if is_source and not path.exists():
        raise InvalidError(f'"{path}": there is nothing', hint=_KINDS)
    if path.is_dir():
        raise InvalidError(f'"{path}" is a directory, not a file')


def _kind_of_file(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            head = file.read(len(_SQLITE))
    except OSError as error:
        raise InvalidError(f"cannot read {path}: {error.strerror}") from error
    if head.startswith(_GZIP):
        return "snapshot"
    if head == _SQLITE:
        return "sqlite"
    raise InvalidError(f"{path} is neither a snapshot nor a database of Fairlead's")

"""Where order and durability come from: the contract every engine keeps, and their table.

An engine stores rows: a table's name, a key, and JSON text. It does not know
what they mean. The same suite (`tests/contracts/test_engines.py`) runs against all.

To add one: a file here with a class that keeps `Engine`, and a row in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from importlib import import_module
from typing import NamedTuple, Protocol, runtime_checkable

from msgspec import Struct

from fairlead.errors import SettingsError

__all__ = [
    "DAMAGED_HINT",
    "ENGINES",
    "Batch",
    "Changed",
    "Contents",
    "Elected",
    "Engine",
    "FeedEvent",
    "Leader",
    "Renewed",
    "SharedEngine",
    "StoredRow",
    "open_engine",
    "open_shared_engine",
]

DAMAGED_HINT = "move it away, start the agent with nothing, and restore a snapshot"
"""What to try when an engine holds what cannot be read."""


class StoredRow(NamedTuple):
    """A row as an engine keeps it."""

    table: str
    key: str
    text: bytes | str


class Batch(Struct, frozen=True):
    """The changes of some commands, to be made in this order, all or none.

    The parts are iterated at most once. No row is in two parts. `tables` has the
    index of the last change of each table that the batch touches.
    """

    index: int
    prefix_deletes: Iterable[tuple[str, str]]
    deletes: Iterable[tuple[str, str]]
    puts: Iterable[StoredRow]
    tables: dict[str, int] = {}


class Contents(Struct, frozen=True):
    """All an engine holds: the last index, and every row once, ordered by table and key.

    `tables` has the index of each table's last change, as far as the engine keeps
    them; a table that is not in it counts as changed last at `index`.
    """

    index: int
    rows: Iterable[StoredRow]
    tables: dict[str, int] = {}


class Engine(Protocol):
    """One store of rows. Only one call is under way at a time.

    Every method raises UnavailableError when the store cannot be reached; after
    a `commit` or `replace` that raised, the caller does not know its outcome
    unless the engine says so.
    """

    name: str
    place: str
    """Where the rows are, for people."""
    batch_rows: int
    """A batch of more rows than this costs more than two of half its size; 0: never."""

    async def load(self) -> Contents:
        """What was committed so far; the rows may be iterated once.

        Raises (also while the rows are iterated):
            SettingsError: it is damaged.
        """

    async def commit(self, batch: Batch) -> None:
        """Make the batch durable; return only then."""

    async def replace(self, contents: Contents) -> None:
        """Make `contents` all there is, atomically and durably."""

    async def close(self) -> None:
        """Let go of the store; another process may open it at once."""


class Leader(Struct, frozen=True, rename="pascal"):
    """The server that decides: its node, and where its links listen (`host:port`)."""

    node: str
    id: str
    address: str


class Changed(Struct, frozen=True):
    """A batch that another server has committed; prefix deletes are spelled out row by row."""

    index: int
    tables: dict[str, int]
    deletes: list[tuple[str, str]]
    puts: list[StoredRow]


class Elected(Struct, frozen=True):
    """Who leads from here on; None as long as nobody does."""

    leader: Leader | None


class Renewed(Struct, frozen=True):
    """The contents were replaced, or events are lost: `load` again, then go on with `feed`."""


FeedEvent = Changed | Elected | Renewed


@runtime_checkable
class SharedEngine(Engine, Protocol):
    """An engine that several servers share: one of them leads, and only it can commit.

    Its `commit` and `replace` are fenced: they raise DeposedError, and nothing is
    written, once another server leads. When they raise UnavailableError, or are
    cancelled, the outcome is unknown and the lead is given up; the feed brings what
    did happen. Both are only so when `lease_until` is 0 afterwards: if it is not,
    the engine has refused the batch, nothing of it is written, and the lead is kept.
    """

    def feed(self) -> AsyncIterator[FeedEvent]:
        """What happened since `load`, in order, for ever.

        Own commits that succeeded are not in it. `Elected` comes once at its
        beginning; `Elected` of this server comes after all that earlier leaders
        have committed, so that whoever has seen it may decide. It waits out an
        engine that cannot be reached.
        """

    def stand(self, candidate: Leader) -> None:
        """From now on take the lead whenever nobody has it."""

    async def stand_down(self) -> None:
        """Take it no more, and give it up at once if it is held."""

    async def depose(self, leader: Leader) -> None:
        """End the lease of a leader whose process is known to be dead."""

    @property
    def lease_until(self) -> float:
        """Until when nobody else can lead, by `time.monotonic()`; 0 without the lead."""

    async def barrier(self) -> None:
        """Return once a majority has confirmed that this server still leads.

        Raises:
            UnavailableError: it does not, or no majority can be reached.
        """


ENGINES: dict[str, str] = {
    "etcd": "fairlead.engines.etcd.engine",
    "memory": "fairlead.engines.memory",
    "sqlite": "fairlead.engines.sqlite",
}
"""From the scheme of an engine's address to the module that has its `open`."""


def open_engine(address: str) -> Engine:
    """The engine at `memory:`, `sqlite:PATH` or `etcd:HOST:PORT,…`.

    Raises:
        SettingsError: no such engine, or it cannot be opened.
    """
    scheme, _, rest = address.partition(":")
    if scheme not in ENGINES:
        raise SettingsError(
            f'engine "{address}" is not known', hint=f"use one of {', '.join(ENGINES)}"
        )
    opener: Callable[[str], Engine] = import_module(ENGINES[scheme]).open
    return opener(rest)


def open_shared_engine(address: str) -> SharedEngine:
    """The same for servers among several.

    Raises:
        SettingsError: no such engine, or it cannot be opened, or cannot be shared.
    """
    engine = open_engine(address)
    if not isinstance(engine, SharedEngine):
        raise SettingsError(f'engine "{address}" is for one server')
    return engine

"""Where order and durability come from: the contract every engine keeps, and their table.

An engine stores rows: a table's name, a key, and JSON text. It does not know
what they mean. The same suite (`tests/contracts/test_engines.py`) runs against all.

To add one: a file here with a class that keeps `Engine`, and a row in `ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import NamedTuple, Protocol

from msgspec import Struct

from fairlead.errors import SettingsError

__all__ = ["DAMAGED_HINT", "ENGINES", "Batch", "Contents", "Engine", "StoredRow", "open_engine"]

DAMAGED_HINT = "move it away, start the agent with nothing, and restore a snapshot"
"""What to try when an engine holds what cannot be read."""


class StoredRow(NamedTuple):
    """A row as an engine keeps it."""

    table: str
    key: str
    text: bytes | str


class Batch(Struct, frozen=True):
    """The changes of some commands, to be made in this order, all or none.

    The parts are iterated at most once. No row is in two parts.
    """

    index: int
    prefix_deletes: Iterable[tuple[str, str]]
    deletes: Iterable[tuple[str, str]]
    puts: Iterable[StoredRow]


class Contents(Struct, frozen=True):
    """All an engine holds: the last index, and every row once, ordered by table and key."""

    index: int
    rows: Iterable[StoredRow]


class Engine(Protocol):
    """One store of rows. Only one call is under way at a time.

    Every method raises UnavailableError when the store cannot be reached; after
    a `commit` or `replace` that raised, the caller does not know its outcome
    unless the engine says so.
    """

    name: str
    place: str
    """Where the rows are, for people."""

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


ENGINES: dict[str, str] = {
    "memory": "fairlead.engines.memory",
    "sqlite": "fairlead.engines.sqlite",
}
"""From the scheme of an engine's address to the module that has its `open`."""


def open_engine(address: str) -> Engine:
    """The engine at `memory:` or `sqlite:PATH`.

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

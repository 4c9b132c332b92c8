"""The move itself: read, look at the target, replace it, read it back, compare.

The target's content is replaced in one step, so that it is as it was or all new;
the source is never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from fairlead.agent.migration.engine_place import EtcdPlace, SqlitePlace
from fairlead.agent.migration.other_places import AgentPlace, SnapshotPlace
from fairlead.agent.migration.places import Connect, Named, Place, named
from fairlead.agent.migration.tally import (
    Tally,
    data_in,
    differences,
    tallies,
    without_servers,
)
from fairlead.core.state import State
from fairlead.engines import Contents, StoredRow
from fairlead.engines.etcd.address import with_options
from fairlead.errors import ConflictError, FairleadError, InvalidError
from fairlead.store import contents_of, restored, state_of

__all__ = ["Compared", "Progress", "Report", "Side", "migrate"]

Progress = Callable[[str, int], None]
"""Told what is being done, and how many rows of it are done."""

_EVERY_ROWS = 5000
_SHOWN = 3
_DATACENTER = "dc1"


class Side(Struct, frozen=True, rename="pascal"):
    """A place, and the index of its state."""

    name: str
    index: int


class Compared(Struct, frozen=True, rename="pascal"):
    """One table of both."""

    source: Tally
    target: Tally


class Report(Struct, frozen=True, rename="pascal"):
    """What was moved. `left_out` are rows about the servers of the source themselves."""

    source: Side
    target: Side
    tables: dict[str, Compared]
    total: Compared
    left_out: int
    equal: bool
    running: list[str]
    """The servers that run at the target: what they write about their nodes is not compared."""


async def migrate(
    source: str, target: str, *, force: bool, connect: Connect, progress: Progress
) -> Report:
    """Move the state at `source` to `target`, and read it back.

    Raises:
        FairleadError: it cannot be done; the target is as it was, unless it says otherwise.
    """
    origin = named(source, is_source=True)
    goal = named(target, is_source=False)
    if _identity(origin) == _identity(goal):
        raise InvalidError("source and target are the same place")
    first = _place(origin, connect)
    try:
        await first.open()
        state = await _read(first, "reading", progress)
        if not state.index and not data_in(state):
            raise InvalidError(f"{first.name} holds nothing")
        if isinstance(first, EtcdPlace):
            await first.hold()
            state = await _read(first, "reading", progress)
        second = _place(goal, connect, _datacenter(state))
        try:
            await second.open()
            return await _moved(first, state, second, force=force, progress=progress)
        finally:
            await second.close()
    finally:
        await first.close()


async def _moved(
    first: Place, state: State, second: Place, *, force: bool, progress: Progress
) -> Report:
    left_out = without_servers(state)
    if isinstance(second, EtcdPlace):
        await second.hold()
    old = await _looked_at(second, force=force, progress=progress)
    source_index = state.index
    if old:
        # Whoever has read there must notice.
        contents = contents_of(state)
        state = restored(contents, max(state.index, old) + 1)
    contents = contents_of(state)
    await second.write(
        Contents(contents.index, _counted(contents, "writing", progress), contents.tables)
    )
    running = await second.running()
    found = await _read(second, "reading it back", progress)
    differing = differences(state, found, running)
    ours, theirs = tallies(state, running), tallies(found, running)
    tables = {name: Compared(ours[name], theirs[name]) for name in ours}
    total = Compared(
        Tally(sum(tally.rows for tally in ours.values())),
        Tally(sum(tally.rows for tally in theirs.values())),
    )
    if differing:
        raise ConflictError(
            f"{second.name} is not the same as {first.name}: {_listed(differing)}",
            hint="has somebody written there meanwhile? Move it again, with -force",
        )
    return Report(
        Side(first.name, source_index),
        Side(second.name, found.index),
        tables,
        total,
        left_out,
        not differing,
        sorted(running),
    )


async def _looked_at(place: Place, *, force: bool, progress: Progress) -> int:
    """The index of the state that is to be replaced; 0 when there is none.

    Raises:
        ConflictError: it holds something.
    """
    try:
        state = await _read(place, "looking at the target", progress)
    except InvalidError as error:
        # What cannot be read has something in it.
        if not force:
            hint = "-force replaces it"
            raise ConflictError(f"{place.name} is not empty: {error}", hint=hint) from error
        return 0
    found = data_in(state)
    if found and not force:
        rows = ", ".join(f"{count} of {name}" for name, count in found.items())
        raise ConflictError(
            f"{place.name} is not empty: it holds rows ({rows})",
            hint="-force replaces all of it",
        )
    return state.index


async def _read(place: Place, what: str, progress: Progress) -> State:
    contents = await place.read()
    rows = _counted(contents, what, progress)
    try:
        return state_of(Contents(contents.index, rows, contents.tables))
    except FairleadError as error:
        raise InvalidError(f"cannot read {place.name}: {error}") from error


def _counted(contents: Contents, what: str, progress: Progress) -> Iterator[StoredRow]:
    count = 0
    progress(what, 0)
    for row in contents.rows:
        yield row
        count += 1
        if count % _EVERY_ROWS == 0:
            progress(what, count)
    progress(what, count)


def _place(found: Named, connect: Connect, datacenter: str = "") -> Place:
    if found.kind == "sqlite":
        return SqlitePlace(found.rest)
    if found.kind == "snapshot":
        return SnapshotPlace(found.rest)
    if found.kind == "http":
        return AgentPlace(connect(found.rest))
    options = {"datacenter": datacenter} if datacenter else {}
    return EtcdPlace(with_options(found.rest, **options))


def _identity(found: Named) -> tuple[str, str]:
    is_file = found.kind in ("sqlite", "snapshot")
    return found.kind, str(Path(found.rest).resolve()) if is_file else found.rest


def _datacenter(state: State) -> str:
    """Whose rows these are."""
    return next((node.datacenter for node in state.nodes.rows.values()), "") or _DATACENTER


def _listed(differing: dict[str, list[str]]) -> str:
    parts = []
    for table, keys in differing.items():
        names = ", ".join(repr(key) for key in keys[:_SHOWN])
        more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
        parts.append(f"table {table}, row {names}{more}")
    return "; ".join(parts)

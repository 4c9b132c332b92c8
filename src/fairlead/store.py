"""The one door to the state: submit commands, read what is committed, wait for changes.

One writer takes every command that waits, decides them over a draft, has the
engine commit the changes in one batch, lays them onto the state, wakes the
readers concerned and only then answers. Commands that arrive while a commit is
under way form the next batch.

Rule: knows commands, rows and indexes; not keys, services or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from fairlead.core import codec
from fairlead.core.commands import Command
from fairlead.core.decide import decide
from fairlead.core.draft import Draft
from fairlead.core.reads import Watch
from fairlead.core.rows import MarkRow
from fairlead.core.state import RESTORED, State
from fairlead.engines import DAMAGED_HINT, Batch, Contents, Engine, StoredRow
from fairlead.errors import InvalidError, SettingsError, UnavailableError
from fairlead.metrics import Metrics
from fairlead.watches import Round, Watches

__all__ = ["LEADING", "Contact", "Store"]

_SHOWN = 60
_BATCH_LIMIT = 1024
"""Commands decided and committed at once: more would make the loop's other work wait."""


class Contact(NamedTuple):
    """How fresh this server's memory is: the leader's own is, always."""

    known_leader: bool
    age_ms: int


LEADING = Contact(True, 0)

_Pending = tuple[Command, asyncio.Future[Any]]


class Store:
    """The state of one agent, and the way it is changed."""

    def __init__(self, engine: Engine, metrics: Metrics | None = None) -> None:
        self.engine = engine
        metrics = metrics or Metrics()
        self._commit_time = metrics.sampler("raft.commitTime")
        self._applied = metrics.counter("raft.apply")
        self.state = State()
        self.watches = Watches()
        self.contact = LEADING
        self._pending: list[_Pending] = []
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Load what the engine holds and start to write.

        Raises:
            SettingsError: it holds what this version cannot read.
        """
        contents = await self.engine.load()
        try:
            self.state = _state_of(contents)
        except InvalidError as error:
            place = self.engine.place
            raise SettingsError(f"cannot read {place}: {error}", hint=DAMAGED_HINT) from error
        self._writer = asyncio.create_task(self._write(), name="store-writer")

    async def close(self) -> None:
        """Finish the batch under way, refuse the rest, and close the engine."""
        if self._writer is not None:
            async with self._turn:
                self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        for _, future in self._pending:
            if not future.done():
                future.set_exception(UnavailableError("the agent is stopping"))
        await self.engine.close()

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """The answer, once what the command changes is durable.

        Raises (from the future):
            FairleadError: the command was refused and changed nothing.
            UnavailableError: the engine failed; see its message for the outcome.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append((command, future))
        self._wanted.set()
        return future

    def contents(self) -> Contents:
        """A copy of all rows as of now; iterating it encodes them."""
        return _contents_of(self.state)

    def changed(self, watches: tuple[Watch, ...]) -> asyncio.Future[None]:
        """Done at the next change to what is watched; cancel it to wait no more."""
        return _FutureWaiter(self.watches, watches).future

    async def restore(self, contents: Contents) -> None:
        """Make `contents` the whole state, atomically; everyone who waits is woken.

        The index goes on from whichever is higher, so that it never goes back.

        Raises:
            InvalidError: a row or a table is not one of ours; nothing changes.
        """
        async with self._turn:
            index = max(contents.index, self.state.index) + 1
            state = _state_of(Contents(index, contents.rows))
            state.marks.put(RESTORED, MarkRow(RESTORED, index))
            state.settle()
            # Encoded anew, so that what is on disk is what is in memory, and not another
            # spelling of it.
            await self.engine.replace(_contents_of(state))
            self.state = state
        self.watches.wake_all()

    # ---------------------------------------------------------------- the writer

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            async with self._turn:
                pending = self._pending[:_BATCH_LIMIT]
                del self._pending[:_BATCH_LIMIT]
                if not self._pending:
                    self._wanted.clear()
                await self._write_batch(pending)

    async def _write_batch(self, pending: list[_Pending]) -> None:
        draft = Draft(self.state)
        answers = [_decide(draft, command) for command, _ in pending]
        if not draft.is_empty:
            started = time.perf_counter()
            try:
                await self.engine.commit(_batch(draft))
            except Exception as error:  # whatever it was, the batch is lost and the writer goes on
                answers = [error] * len(answers)
                draft = Draft(self.state)
            draft.apply()
            self._commit_time.add((time.perf_counter() - started) * 1000)
            self._applied.add(len(pending))
        for (_, future), answer in zip(pending, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        if not draft.is_empty:
            self.watches.wake(draft.changes())


class _FutureWaiter:
    """Waits on behalf of a coroutine."""

    is_reader = False

    def __init__(self, owner: Watches, watches: tuple[Watch, ...]) -> None:
        self.watches = watches
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.future.add_done_callback(self._done)
        self._owner: Watches | None = owner
        owner.add(self)

    def wake(self, round_: Round) -> None:
        self._owner = None
        if not self.future.done():
            self.future.set_result(None)

    def _done(self, future: asyncio.Future[None]) -> None:
        if self._owner is not None:
            self._owner.discard(self)


def _decide(draft: Draft, command: Command) -> Any:
    """The answer, or the error: both wait for the commit, for both may rest on what it holds."""
    try:
        return decide(draft, command)
    except Exception as error:  # a fault of ours must fail one command, not the writer
        return error


def _batch(draft: Draft) -> Batch:
    encode = codec.encode_json
    puts = (StoredRow(table, key, encode(row)) for table, key, row in draft.puts())
    return Batch(draft.index, draft.prefix_deletes(), draft.deletes(), puts, draft.touched())


def _contents_of(state: State) -> Contents:
    """A copy of all rows as of now; iterating it encodes them."""
    tables = [(table.name, list(table.rows.items())) for table in state.tables.values()]
    rows = (
        StoredRow(name, key, codec.encode_json(row)) for name, rows in tables for key, row in rows
    )
    indexes = {table.name: table.index for table in state.tables.values()}
    return Contents(state.index, rows, indexes)


def _state_of(contents: Contents) -> State:
    """The state that `contents` describes, taking its rows one by one.

    Raises:
        InvalidError: a row or a table is not one of ours.
    """
    state = State()
    state.index = contents.index
    for table in state.tables.values():
        table.index = contents.tables.get(table.name, contents.index)
    for name, rows in groupby(contents.rows, key=itemgetter(0)):
        if name not in state.tables:
            raise InvalidError(f"table {name[:_SHOWN]!r} is not known to this version")
        if state.tables[name].rows:
            raise InvalidError(f'table "{name}" is there twice')
        codec.load_rows(state.tables[name], ((row.key, row.text) for row in rows))
    state.check()
    state.settle()
    return state

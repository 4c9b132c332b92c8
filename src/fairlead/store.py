"""The one door to the state: submit commands, read what is committed, wait for changes.

One writer takes every command that waits, decides them over a draft, has the
engine commit the changes in one batch, lays them onto the state, wakes the
readers concerned and only then answers. Commands that arrive while a commit is
under way form the next batch.

Of several servers with one engine only the one that leads decides; the memory of
the others follows what it commits (`following.py`).

Rule: knows commands, rows and indexes; not keys, services or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Any

from fairlead.core import codec
from fairlead.core.commands import Command
from fairlead.core.decide import decide
from fairlead.core.draft import Draft
from fairlead.core.reads import Watch
from fairlead.core.rows import MarkRow
from fairlead.core.state import RESTORED, State
from fairlead.engines import (
    DAMAGED_HINT,
    Batch,
    Contents,
    Engine,
    Leader,
    SharedEngine,
    StoredRow,
)
from fairlead.errors import DeposedError, InvalidError, SettingsError, UnavailableError
from fairlead.following import Contact, Following
from fairlead.metrics import Metrics
from fairlead.watches import Round, Watches

__all__ = ["LEADING", "NO_LEADER", "Contact", "Store", "contents_of", "restored", "state_of"]

NO_LEADER = "No cluster leader"

_SHOWN = 60
_BATCH_LIMIT = 1024
"""Commands decided and committed at once: more would make the loop's other work wait."""


LEADING = Contact(True, 0)
NOTHING_KNOWN = Contact(False, 2**62)
"""Older than anybody accepts."""

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
        # Where several servers share the engine: its feed, by which this one leads or follows.
        self.following = (
            Following(self, engine, metrics) if isinstance(engine, SharedEngine) else None
        )
        self.leads = self.following is None
        # What this server decides before all else when it takes the lead.
        self.opening: Callable[[], list[Command]] = list
        # Called with the index when the state has changed by what this server decided.
        self.applied: Callable[[int], None] = lambda index: None
        self._pending: list[_Pending] = []
        self._wanted = asyncio.Event()
        self._turn = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None

    def take_engine(self, engine: SharedEngine) -> None:
        """It is there now, in the place of one that was awaited; `open` comes next."""
        assert self.following is not None, "only servers among several wait for theirs"
        self.engine = self.following.engine = engine

    @property
    def is_open(self) -> bool:
        """Whether the memory has been loaded: until then there is nothing that could be read."""
        return self._writer is not None

    async def open(self) -> None:
        """Load what the engine holds and start to write.

        Raises:
            SettingsError: it holds what this version cannot read.
        """
        self.replace_state(await self.load())
        if self.following is not None:
            self.following.start()
        self._writer = asyncio.create_task(self._write(), name="store-writer")

    async def load(self) -> State:
        """The state as the engine holds it.

        Raises:
            SettingsError: it holds what this version cannot read.
        """
        contents = await self.engine.load()
        try:
            return state_of(contents)
        except InvalidError as error:
            place = self.engine.place
            raise SettingsError(f"cannot read {place}: {error}", hint=DAMAGED_HINT) from error

    async def close(self) -> None:
        """Finish the batch under way, refuse the rest, and close the engine."""
        if self.following is not None:
            await self.following.stop()
        if self._writer is not None:
            async with self._turn:
                self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
        self._refuse(UnavailableError("the agent is stopping"))
        await self.engine.close()

    @property
    def contact(self) -> Contact:
        """How fresh the memory of this server is."""
        if not self.is_open:
            return NOTHING_KNOWN
        return LEADING if self.leads or self.following is None else self.following.contact

    @property
    def leader(self) -> Leader | None:
        """The server that decides, where there are several; None as long as nobody does."""
        return self.following.leader if self.following is not None else None

    @property
    def may_answer(self) -> bool:
        """Whether no other server can have decided anything that is not in this memory."""
        following = self.following
        return following is None or (self.leads and following.holds_lease)

    def take_role(self, *, leads: bool) -> None:
        """The feed says whether this server leads; commands that wait are refused when not."""
        self.leads = leads
        if not leads:
            self._refuse(DeposedError(NO_LEADER))
            return
        for command in self.opening():
            self.submit(command).add_done_callback(_look_away)

    def _refuse(self, error: UnavailableError) -> None:
        pending, self._pending = self._pending, []
        for _, future in pending:
            if not future.done():
                future.set_exception(error)

    def submit(self, command: Command) -> asyncio.Future[Any]:
        """The answer, once what the command changes is durable.

        Raises (from the future):
            FairleadError: the command was refused and changed nothing.
            UnavailableError: the engine failed; see its message for the outcome.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self.leads:
            future.set_exception(DeposedError(NO_LEADER))
            return future
        self._pending.append((command, future))
        self._wanted.set()
        return future

    def contents(self) -> Contents:
        """A copy of all rows as of now; iterating it encodes them."""
        return contents_of(self.state)

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
            state = restored(contents, max(contents.index, self.state.index) + 1)
            # Encoded anew, so that what is on disk is what is in memory, and not another
            # spelling of it.
            await self.engine.replace(contents_of(state))
            self.replace_state(state)
            self._tell_applied()

    def _tell_applied(self) -> None:
        if self.following is not None:
            self.following.tell_index()
        self.applied(self.state.index)

    def replace_state(self, state: State) -> None:
        """Have `state` for memory from now on; everyone who waits is woken."""
        self.state = state
        self.watches.wake_all()

    @property
    def turn(self) -> asyncio.Lock:
        """Held while the state is being changed."""
        return self._turn

    # ---------------------------------------------------------------- the writer

    async def _write(self) -> None:
        while True:
            await self._wanted.wait()
            async with self._turn:
                await self._write_batch()
                if not self._pending:
                    self._wanted.clear()

    async def _write_batch(self) -> None:
        draft, answers = self._decided(self._pending[:_BATCH_LIMIT])
        pending = self._pending[: len(answers)]
        del self._pending[: len(answers)]
        if not draft.is_empty:
            started = time.perf_counter()
            try:
                await self.engine.commit(_batch(draft))
            except Exception as error:  # whatever it was, the batch is lost and the writer goes on
                answers = [error] * len(answers)
                draft = Draft(self.state)
                self._lose_lead()
            draft.apply()
            self._commit_time.add((time.perf_counter() - started) * 1000)
            self._applied.add(len(pending))
        elif not self.may_answer:
            # Nothing was changed, and what was read may be old: nothing can be said.
            answers = [DeposedError(NO_LEADER)] * len(answers)
        for (_, future), answer in zip(pending, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)
        if not draft.is_empty:
            self.watches.wake(draft.changes())
            self._tell_applied()

    def _decided(self, pending: list[_Pending]) -> tuple[Draft, list[Any]]:
        """What the commands change, and their answers; the first ones alone when they are many."""
        draft = Draft(self.state)
        limit = self.engine.batch_rows
        if not limit:
            return draft, [_decide(draft, command) for command, _ in pending]
        answers = []
        for command, _ in pending:
            answers.append(_decide(draft, command))
            if draft.mark() >= limit:
                break
        return draft, answers

    def _lose_lead(self) -> None:
        """A commit failed. If the lead went with it, the feed says who leads, and what happened."""
        if self.following is not None and not self.following.has_lead:
            self.following.lose_lead()


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


def _look_away(future: asyncio.Future[Any]) -> None:
    """Nobody waits for this answer; whether the lead holds is seen by those who come next."""
    if not future.cancelled():
        future.exception()


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


def contents_of(state: State) -> Contents:
    """A copy of all rows as of now; iterating it encodes them."""
    tables = [(table.name, list(table.rows.items())) for table in state.tables.values()]
    rows = (
        StoredRow(name, key, codec.encode_json(row)) for name, rows in tables for key, row in rows
    )
    indexes = {table.name: table.index for table in state.tables.values()}
    return Contents(state.index, rows, indexes)


def restored(contents: Contents, index: int) -> State:
    """The state of `contents` at an index that no reader has seen, which all of them will.

    Raises:
        InvalidError: a row or a table is not one of ours.
    """
    state = state_of(Contents(index, contents.rows))
    state.marks.put(RESTORED, MarkRow(RESTORED, index))
    state.settle()
    return state


def state_of(contents: Contents) -> State:
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

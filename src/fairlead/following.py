"""A server among several: its memory follows the feed of the engine they share.

The feed says who leads. As long as that is another server, what it commits is
laid onto the state here; when it is this one, the store decides. Whoever waits
for a role, or for an index, is told.

A batch may come with the feed before its leader has heard that it is committed.
It is laid onto the state only when the leader has it too: whoever saw it here
could else ask the leader next, and see it gone.

Rule: which server leads is for the feed alone to say, never for a clock or a link.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from fairlead.core import codec
from fairlead.core.draft import Draft
from fairlead.core.state import State
from fairlead.engines import Changed, Elected, Leader, Renewed, SharedEngine
from fairlead.errors import FairleadError, InvalidError, UnavailableError
from fairlead.metrics import Metrics

if TYPE_CHECKING:
    from fairlead.store import Store

__all__ = ["Contact", "Following"]

log = logging.getLogger("agent.server")

_RETRY_S = 1.0
# So long a batch waits for the word of a leader that can be heard; usually that comes first.
_LONGEST_AHEAD_S = 1.0
_STAND_DOWN_S = 2.0


class Contact(NamedTuple):
    """How fresh this server's memory is: the leader's own is, always."""

    known_leader: bool
    age_ms: int


class Following:
    """The feed of one engine, and what it has told so far."""

    def __init__(self, store: Store, engine: SharedEngine, metrics: Metrics) -> None:
        self._store = store
        self.engine = engine
        self.leader: Leader | None = None
        self._own: Leader | None = None
        self._last_leader: Leader | None = None
        self._wins = metrics.counter("raft.state.leader")
        self._changes = metrics.counter("raft.leader.changes")
        self._heard = time.monotonic()
        self._role: asyncio.Future[None] | None = None
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0
        self._task: asyncio.Task[None] | None = None
        # Whether the leader can be heard, and up to which index it has said to have applied.
        self.hears_leader: Callable[[], bool] = lambda: False
        self._leader_has = 0
        self._word = asyncio.Event()

    def start(self) -> None:
        """Follow; the state is loaded."""
        self._task = asyncio.create_task(self._run(), name="store-feed")

    async def stand_down(self) -> None:
        """Give the lead up, for good; another server takes it at once."""
        with contextlib.suppress(FairleadError, TimeoutError):
            async with asyncio.timeout(_STAND_DOWN_S):
                await self.engine.stand_down()

    async def stop(self) -> None:
        """Follow no more."""
        await self.stand_down()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def stand(self, own: Leader) -> None:
        """Be a candidate: this server can be reached now."""
        self._own = own
        self.engine.stand(own)

    # ---------------------------------------------------------------- what is known

    @property
    def holds_lease(self) -> bool:
        return time.monotonic() < self.engine.lease_until

    @property
    def has_lead(self) -> bool:
        """Whether the engine still has it, if only until its lease ends."""
        return self.engine.lease_until > 0

    @property
    def contact(self) -> Contact:
        age_s = time.monotonic() - self._heard
        return Contact(self.leader is not None, max(int(age_s * 1000), 0))

    def heard(self) -> None:
        """The leader was heard of: this memory is as old as that."""
        self._heard = time.monotonic()

    def leader_has(self, index: int) -> None:
        """The leader has applied all up to there."""
        self._leader_has = index
        self._word.set()

    def leader_lost(self) -> None:
        """It cannot be heard any more: nothing waits for its word."""
        self._leader_has = 0
        self._word.set()

    async def role_changed(self) -> None:
        """Return when somebody else leads, or nobody, or this server."""
        if self._role is None:
            self._role = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._role)

    async def reached(self, index: int) -> None:
        """Return once the state has that index."""
        if self._store.state.index >= index:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._waiting, (index, self._count, future))
        await future

    # ---------------------------------------------------------------- the feed

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
                state = await self._store.load()
                await self._until_leader_has(state.index)
                async with self._store.turn:
                    self._store.replace_state(state)
                    self.tell_index()
            except FairleadError as error:
                log.error("the feed cannot be followed: why=%s", error)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self) -> None:
        """Return when the state must be loaded anew."""
        async for event in self.engine.feed():
            if isinstance(event, Changed):
                await self._until_leader_has(event.index)
                async with self._store.turn:
                    self._apply(event)
            elif isinstance(event, Elected):
                self._elect(event.leader)
            elif isinstance(event, Renewed):
                return

    async def _until_leader_has(self, index: int) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LONGEST_AHEAD_S):
                while self._leader_has < index and self.hears_leader():
                    self._word.clear()
                    await self._word.wait()

    def _apply(self, changed: Changed) -> None:
        store = self._store
        draft = _draft(store.state, changed)
        draft.apply()
        store.watches.wake(draft.changes())
        self.tell_index()

    def tell_index(self) -> None:
        """Wake who waits for an index that the state has."""
        index = self._store.state.index
        while self._waiting and self._waiting[0][0] <= index:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    # ---------------------------------------------------------------- roles

    def _elect(self, leader: Leader | None) -> None:
        own = self._own
        leads = leader is not None and own is not None and leader.id == own.id
        if leads:
            log.info("this server leads: index=%d", self._store.state.index)
        elif leader is not None:
            log.info("another server leads: node=%s address=%s", leader.node, leader.address)
        elif self.leader is not None:
            log.warning("no server leads")
        if leader is not None and leader != self._last_leader:
            self._last_leader = leader
            self._changes.add()
        if leads and not self._store.leads:
            self._wins.add()
        self._take_role(leader, leads=leads)

    def lose_lead(self) -> None:
        """A commit failed: this server may not lead any more."""
        log.warning("a commit failed: this server does not lead until it is elected again")
        self._take_role(None, leads=False)

    def _take_role(self, leader: Leader | None, *, leads: bool) -> None:
        if self._store.leads:
            # Until here this memory was the leader's own.
            self.heard()
        self.leader = leader
        self._store.take_role(leads=leads)
        role, self._role = self._role, None
        if role is not None:
            role.set_result(None)

    async def barrier(self) -> None:
        """Return once a majority has confirmed that this server leads.

        Raises:
            UnavailableError: it does not.
        """
        if not self._store.leads:
            raise UnavailableError("No cluster leader")
        await self.engine.barrier()


def _draft(state: State, changed: Changed) -> Draft:
    """What another server decided, as a draft of this state.

    Raises:
        InvalidError: a row or a table is not one of ours.
    """
    draft = Draft(state)
    tables = {table.base.name: table for table in draft.tables}
    try:
        for name, key in changed.deletes:
            tables[name].delete(key)
        for row in changed.puts:
            table = tables[row.table]
            table.put(row.key, codec.decode_json(row.text, table.base.row_type))
    except KeyError as error:
        raise InvalidError(f"table {error} is not known to this version") from error
    except msgspec.MsgspecError as error:
        raise InvalidError(f"a row cannot be read by this version: {error}") from error
    draft.adopt(changed.index, changed.tables)
    return draft

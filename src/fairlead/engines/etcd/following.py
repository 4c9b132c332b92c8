"""What happens in etcd, as events of the feed: one watch on everything under the prefix.

All of a revision belongs together: one transaction made it. A revision with an
index is a batch. Rows without one are those of an intent, which is applied as a
whole where its head is, or somebody's hands; neither is news.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import groupby, takewhile
from typing import Any

from fairlead.engines import Changed, Elected, FeedEvent, Leader, Renewed, StoredRow
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import CompactedError
from fairlead.engines.etcd.history import Seen, check_history
from fairlead.engines.etcd.intents import Intents
from fairlead.engines.etcd.layout import Head, IndexMark, Layout, end_of, read, write
from fairlead.engines.etcd.lead import Campaign, Lead
from fairlead.engines.etcd.loading import Loaded
from fairlead.engines.etcd.marks import check_mark
from fairlead.engines.etcd.own import OwnCommits
from fairlead.errors import FairleadError, SettingsError

__all__ = ["Following"]

log = logging.getLogger("engine.etcd")

_PUT = 0
_PAUSES_S = (0.0, 0.1, 0.3, 1.0)
# How many events may wait for the consumer before etcd waits for it too.
_WAITING = 1000


class Following:
    """Follows etcd from what was loaded, for as long as `run` runs."""

    def __init__(
        self,
        client: Client,
        layout: Layout,
        intents: Intents,
        lead: Lead,
        campaign: Campaign,
        own: OwnCommits,
        take_over: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._layout = layout
        self._intents = intents
        self._lead = lead
        self._campaign = campaign
        self._own = own
        self._take_over = take_over
        self._loaded: Loaded | None = None
        self._is_loaded = asyncio.Event()
        self._revision = 0
        self._cluster = 0
        self._leader: Any = None
        self._reported: Leader | None = None
        self._has_reported = False
        self._reported_own = False
        self._failures = 0
        self._rest: list[Any] = []
        self._index = (0, b"")
        self._wants_load = False
        self._events: deque[FeedEvent] = deque()
        self._is_news = asyncio.Event()
        self._is_room = asyncio.Event()

    def loaded(self, loaded: Loaded) -> None:
        """Where `run` begins, or goes on after Renewed."""
        self._loaded, self._wants_load = loaded, False
        self._is_loaded.set()

    def stands(self) -> None:
        """This server is a candidate: whoever leads may be the process that it was before."""
        if self._has_reported:
            self._report_leader()

    async def next(self, runs: asyncio.Task[None]) -> FeedEvent:
        """The next event of the task that runs `run`; raises what it ended with."""
        while not self._events:
            if runs.done():
                runs.result()
            self._is_news.clear()
            await self._is_news.wait()
        self._is_room.set()
        event = self._events.popleft()
        self._wants_load = isinstance(event, Renewed)
        return event

    def told_again(self) -> list[FeedEvent]:
        """For whoever was told to load and could not: so it does not know who leads either."""
        if not self._wants_load:
            return []
        nobody: list[FeedEvent] = [] if self._reported is None else [Elected(None)]
        self._reported = None
        return [*nobody, Renewed()]

    def wake(self) -> None:
        """Make `next` look again."""
        self._is_news.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await self._is_loaded.wait()
                try:
                    self._start()
                    while True:
                        await self._watch_once()
                except CompactedError as error:
                    log.warning("all rows are read again: %s", error)
                    self._renew()
                except SettingsError as error:
                    log.error("all rows are read again: %s", error)
                    self._renew()
                    await asyncio.sleep(_PAUSES_S[-1])
        finally:
            # Nobody would see what comes.
            self._lead.is_followed = False
            self._lead.give_up()

    # ------------------------------------------------------------ what is reported

    def lost_lead(self) -> None:
        """This server's lead is over: report it, before anything else is seen."""
        if self._reported_own:
            self._report(None)

    def _start(self) -> None:
        assert self._loaded is not None
        loaded = self._loaded
        self._revision, self._cluster = loaded.revision, loaded.cluster
        self._own.reset(loaded.index, loaded.index_revision)
        self._index = (loaded.index_revision, write(loaded.index))
        self._lead.is_followed = True
        self._leader = loaded.leader
        self._has_reported = False
        self._rest = []
        self._report_leader()

    def _renew(self) -> None:
        self._is_loaded.clear()
        # Who has not read all there is does not lead.
        self._lead.is_followed = False
        self._lead.give_up()
        self._emit(Renewed())

    def _report_leader(self) -> None:
        """Report who leads by the leader key, and let the campaign know if nobody does."""
        kv = self._leader
        if kv is None:
            self._report(None)
            self._campaign.vacant.set()
            return
        leader = read(Leader, kv.value, self._layout)
        if not self._is_own(leader) or (kv.lease == self._lead.lease and self._lead.is_ready):
            self._report(leader)
        else:
            # A lead of this server's that is over, or of the process it was before; or one that
            # was won before all rows were read, so that the watch does not show it.
            if kv.lease == self._lead.lease:
                self._lead.give_up()
            self._report(None)
            self._campaign.end(kv.lease)

    def _is_own(self, leader: Leader | None) -> bool:
        return leader is not None and leader == self._campaign.me

    def _report(self, leader: Leader | None) -> None:
        if not self._has_reported or leader != self._reported:
            self._has_reported, self._reported = True, leader
            self._reported_own = self._is_own(leader)
            self._emit(Elected(leader))

    def _emit(self, event: FeedEvent) -> None:
        self._events.append(event)
        self._is_news.set()

    # ------------------------------------------------------------ the watch

    async def _watch_once(self) -> None:
        """Follow until the stream breaks; wait a little before the next try.

        Raises:
            CompactedError: events are lost.
            SettingsError: what is there cannot be read, or may not.
        """
        try:
            await self._watch()
        except (CompactedError, SettingsError):
            raise
        except FairleadError as error:
            self._failures += 1
            if self._failures == 2:
                log.warning("etcd is not followed at the moment: %s", error)
            # A leader leads by its lease, whatever it sees.
            if self._failures >= 2 and not self._lead.until:
                self._report(None)
            await asyncio.sleep(_PAUSES_S[min(self._failures, len(_PAUSES_S)) - 1])

    async def _watch(self) -> None:
        start, end = self._layout.prefix, end_of(self._layout.prefix)
        self._rest = []
        stream = self._client.watch(start, end, self._revision + 1)
        try:
            async for answer in stream:
                if answer.created:
                    await self._created(answer.header)
                elif answer.events:
                    await self._answer(answer)
                elif not self._rest:
                    self._revision = max(self._revision, answer.header.revision)
        finally:
            await stream.aclose()

    async def _created(self, header: Any) -> None:
        if header.cluster_id != self._cluster:
            raise CompactedError("this is another etcd cluster than before")
        lease = self._leader.lease if self._leader is not None else 0
        index_revision, value = self._index
        index = read(IndexMark, value, self._layout).index
        seen = Seen(self._revision, index_revision, index, lease)
        await check_history(self._client, self._layout, header, seen)
        if self._failures >= 2:
            log.warning("etcd is followed again")
        self._failures = 0
        self._report_leader()

    async def _answer(self, answer: Any) -> None:
        """Take what is complete: the last revision of a fragment may go on in the next one."""
        events = self._rest + list(answer.events)
        self._rest = []
        if answer.fragment:
            last = events[-1].kv.mod_revision
            whole = list(takewhile(lambda event: event.kv.mod_revision < last, events))
            self._rest = events[len(whole) :]
            events = whole
        if events and events[0].kv.mod_revision == events[-1].kv.mod_revision:
            await self._take(events[0].kv.mod_revision, events)
        else:
            for revision, group in groupby(events, lambda event: event.kv.mod_revision):
                await self._take(revision, list(group))
        while len(self._events) >= _WAITING:
            self._is_room.clear()
            await self._is_room.wait()

    # ------------------------------------------------------------ one revision

    async def _take(self, revision: int, events: list[Any]) -> None:
        # The index is the last a batch puts: of this server's own, nothing else is looked at.
        last = events[-1].kv
        is_batch = last.key == self._layout.index
        if not is_batch or not await self._own.is_own(revision, last.value):
            await self._others(revision, events)
        self._revision = revision
        if is_batch:
            self._index = (revision, last.value)

    async def _others(self, revision: int, events: list[Any]) -> None:
        layout = self._layout
        index: IndexMark | None = None
        head: tuple[str, Head] | None = None
        for event in events:
            key = event.kv.key
            if key.startswith(layout.rows):
                continue
            if key == layout.leader:
                await self._leader_is(event.kv, is_there=event.type == _PUT)
            elif key == layout.index:
                if event.type != _PUT:
                    raise CompactedError("somebody has deleted the index")
                index = read(IndexMark, event.kv.value, layout)
            elif event.type == _PUT and key == layout.cluster:
                check_mark(event.kv.value, layout, self._client.address, self._client.place)
            elif event.type == _PUT and key.startswith(layout.intents):
                name, is_head = layout.intent_name(key)
                head = (name, read(Head, event.kv.value, layout)) if is_head else head
        if index is None:
            return
        known = self._own.position.tables
        tables = {name: at for name, at in index.tables.items() if known.get(name) != at}
        self._own.seen(index, revision)
        if head is not None:
            await self._intent(revision, *head, index.index, tables)
        else:
            self._emit(Changed(index.index, tables, *self._rows(events)))

    def _rows(self, events: list[Any]) -> tuple[list[tuple[str, str]], list[StoredRow]]:
        layout = self._layout
        deletes, puts = [], []
        for event in events:
            kv = event.kv
            if not kv.key.startswith(layout.rows):
                continue
            if event.type == _PUT:
                puts.append(layout.stored(kv.key, kv.value))
            else:
                deletes.append(layout.name(kv.key))
        return deletes, puts

    async def _intent(
        self, revision: int, name: str, head: Head, index: int, tables: dict[str, int]
    ) -> None:
        """The whole of a large batch, at its head."""
        if head.replace:
            # Nothing is lost, but that is how all of it is read again.
            raise CompactedError("the contents were replaced")
        deletes, puts = await self._intents.spelled_out(name, revision)
        self._emit(
            Changed(
                index,
                tables,
                [self._layout.name(key) for key in deletes],
                [self._layout.stored(key, value) for key, value in puts],
            )
        )

    async def _leader_is(self, kv: Any, *, is_there: bool) -> None:
        """The leader key was put, or is gone."""
        self._leader = kv if is_there else None
        if is_there and kv.lease == self._lead.lease:
            self._lead.won(kv.create_revision, kv.lease)
            try:
                await self._take_over()
            except FairleadError as error:
                log.warning("the lead is given up: %s", error)
                self._lead.give_up()
                # Let another server try.
                await asyncio.sleep(_PAUSES_S[-1])
        elif kv.mod_revision > self._lead.revision:
            # Not what was before the own lead, and is only seen after it began.
            self._lead.give_up()
        self._report_leader()

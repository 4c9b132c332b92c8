"""The engine that several servers share, on an etcd cluster: see `layout` for what it keeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from fairlead.engines import (
    Batch,
    Contents,
    Engine,
    FeedEvent,
    Leader,
)
from fairlead.engines.etcd.address import Address, read_address
from fairlead.engines.etcd.barriers import Barriers
from fairlead.engines.etcd.changes import Changes, Limits, as_changes, operations
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.fence import Fence, Guard
from fairlead.engines.etcd.finishing import Finishing
from fairlead.engines.etcd.following import Following
from fairlead.engines.etcd.intents import Intent, Intents, chunks_of, replacing
from fairlead.engines.etcd.layout import (
    Head,
    IndexMark,
    Layout,
    Operation,
    compare,
    put,
    read,
    write,
)
from fairlead.engines.etcd.lead import LEASE_S, Campaign, Lead
from fairlead.engines.etcd.loading import load
from fairlead.engines.etcd.marks import new_mark
from fairlead.engines.etcd.own import OwnCommits
from fairlead.errors import DeposedError, UnavailableError

__all__ = ["EtcdEngine", "open"]


class EtcdEngine:
    """See `SharedEngine`. Everything happens in the loop that first uses it."""

    name = "etcd"

    def __init__(self, address: Address) -> None:
        self.client = Client(address)
        self.place = f"etcd at {','.join(address.endpoints)} under {address.prefix}"
        self._limits = Limits.of(address)
        self.batch_rows = self._limits.operations
        self._layout = Layout(address.prefix)
        self._own = OwnCommits()
        self._lead = Lead(self.client, self._layout, self._lost_lead)
        self._campaign = Campaign(self._lead)
        self._fence = Fence(self.client, self._layout, self._lead)
        self._intents = Intents(self.client, self._layout, self._fence, self._limits)
        self._finishing = Finishing(self._intents, self._lead)
        self._following = Following(
            self.client,
            self._layout,
            self._intents,
            self._lead,
            self._campaign,
            self._own,
            self._take_over,
        )
        self._barriers = Barriers(self._confirm)
        self._runs: asyncio.Task[None] | None = None

    async def load(self) -> Contents:
        """As the contract says; it waits for an etcd that cannot be reached."""
        seen = self._own.position
        loaded, contents = await load(self.client, self._layout, self._intents, seen)
        self._following.loaded(loaded)
        return contents

    # ------------------------------------------------------------ the lead

    def stand(self, candidate: Leader) -> None:
        self._campaign.start(candidate)
        self._following.stands()

    async def stand_down(self) -> None:
        await self._campaign.stop()

    async def depose(self, leader: Leader) -> None:
        answer = await self.client.range(self._layout.leader)
        if answer.kvs and read(Leader, answer.kvs[0].value, self._layout) == leader:
            await self.client.lease_revoke(answer.kvs[0].lease)

    @property
    def lease_until(self) -> float:
        return self._lead.until if self._lead.is_ready else 0.0

    async def barrier(self) -> None:
        await self._barriers.passed()

    async def _confirm(self) -> None:
        lead = self._lead.check()
        try:
            async with asyncio.timeout(LEASE_S):
                answer = await self.client.range(self._layout.leader)
        except TimeoutError as error:
            text = f"etcd at {self.client.place} does not answer in time: has it a quorum?"
            raise UnavailableError(text) from error
        if not answer.kvs or answer.kvs[0].create_revision != lead:
            self._lead.give_up(lead)
            raise DeposedError("another server leads")

    def _lost_lead(self) -> None:
        self._following.lost_lead()

    async def _take_over(self) -> None:
        """Finish what the leader before left, when all it did is known; then lead."""
        lead = self._lead.revision
        await self._intents.finish_all(lead)
        mark = new_mark(self.client.address)
        key = self._layout.cluster
        compares = [
            compare(self._layout.leader, "create_revision", lead),
            compare(key, "version", 0),
        ]
        await self.client.txn(compares, [put(key, write(mark))], safe=True)
        self._lead.is_ready = self._lead.revision == lead

    # ------------------------------------------------------------ writes

    async def commit(self, batch: Batch) -> None:
        lead = await self._begin()
        changes = as_changes(self._layout, batch)
        self._limits.check(changes)
        mark = IndexMark(batch.index, self._own.position.tables | batch.tables)
        if changes.size() <= self._limits.size:
            wanted = operations(changes)
            if len(wanted) <= self._limits.operations:
                await self._commit(lead, wanted, mark)
                return
        await self._commit_in_parts(lead, chunks_of(changes, self._limits), Head(batch.index), mark)

    async def replace(self, contents: Contents) -> None:
        lead = await self._begin()
        mark = IndexMark(contents.index, contents.tables)
        chunks = replacing(contents.rows, self._layout, self._limits)
        await self._commit_in_parts(lead, chunks, Head(contents.index, replace=True), mark)

    async def _begin(self) -> int:
        """The lead in which a batch was decided, and in which alone it may be written.

        Raises:
            DeposedError: there is none, or it is over.
            FullError, RefusedError, SettingsError: the batch before cannot be finished.
        """
        lead = self._lead.check()
        await self._finishing.done()
        if self._lead.check() != lead:
            raise DeposedError("this server led again meanwhile: nothing was written")
        return lead

    async def _commit(self, lead: int, wanted: list[Operation], mark: IndexMark) -> int:
        """One fenced transaction with the index; the revision it was made at."""
        guard = Guard(self._layout.index, "mod_revision", self._own.revision)
        number = self._own.begin()
        try:
            revision = await self._fence.write(
                lead, [*wanted, put(self._layout.index, write(mark))], guard
            )
            self._own.done(number, mark, revision)
        finally:
            self._own.end()
        return revision

    async def _commit_in_parts(
        self, lead: int, chunks: Iterable[Changes], head: Head, mark: IndexMark
    ) -> None:
        name = self._intents.name(head.index, lead)
        await self._intents.prepare(lead, name, chunks)
        revision = await self._commit(lead, [self._intents.commit_point(name, head)], mark)
        self._finishing.begin(lead, Intent(name, head, revision))

    # ------------------------------------------------------------ the feed

    async def feed(self) -> AsyncIterator[FeedEvent]:
        if self._runs is None:
            self._runs = asyncio.create_task(self._following.run(), name="etcd-feed")
            self._runs.add_done_callback(lambda _: self._following.wake())
        for event in self._following.told_again():
            yield event
        while True:
            yield await self._following.next(self._runs)

    async def close(self) -> None:
        await self.stand_down()
        await self._finishing.close()
        if self._runs is not None:
            self._runs.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runs
        await self.client.close()


def open(address: str) -> Engine:
    """The engine on the etcd cluster at `address`, which is not reached out to yet.

    Raises:
        SettingsError: the address cannot be read, or a file it names.
    """
    return EtcdEngine(read_address(address))

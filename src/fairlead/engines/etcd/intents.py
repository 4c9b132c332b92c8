"""Batches that are too large for one transaction.

Their changes are written first, in chunks that mean nothing by themselves. Then
the head is written together with the index: from that moment the batch is
committed, and whoever reads applies it as a whole. The rows follow in several
transactions, and at last the intent is deleted. If the leader dies between, the
next one makes them again, from the first, before it leads.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import count

import msgspec
from msgspec import Struct

from fairlead.engines import StoredRow
from fairlead.engines.etcd.changes import Changes, Limits, as_bytes, packed, put_size, stepwise
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.fence import Fence, Guard
from fairlead.engines.etcd.layout import Head, Layout, Operation, end_of, put, read, remove, write
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["Intent", "Intents", "chunks_of", "overlay", "replacing"]

_number_of_this_process = count()


class Intent(Struct, frozen=True):
    """One that is committed: its name, its head, and the revision the head was written at."""

    name: str
    head: Head
    revision: int


class Intents:
    """Writes them, finishes them, reads them."""

    def __init__(self, client: Client, layout: Layout, fence: Fence, limits: Limits) -> None:
        self._client = client
        self._layout = layout
        self._fence = fence
        self._limits = limits

    def name(self, index: int, lead: int) -> str:
        """A new one: no attempt ever meets what another has left behind."""
        return f"{index:020d}-{lead}-{next(_number_of_this_process)}"

    async def prepare(self, lead: int, name: str, chunks: Iterable[Changes]) -> None:
        """Write the chunks; if that fails, take back what was written."""
        folder = self._layout.intent(name)
        try:
            for number, chunk in enumerate(chunks):
                self._limits.check(chunk)
                key = folder + b"chunk/%08d" % number
                await self._fence.write(
                    lead, [put(key, msgspec.msgpack.encode(chunk))], Guard(key, "version", 0)
                )
        except BaseException:
            await self.discard(name)
            raise

    async def discard(self, name: str) -> None:
        """Delete chunks that will have no head. What is left, the next leader deletes."""
        folder = self._layout.intent(name)
        with contextlib.suppress(FairleadError):
            await self._client.delete_range(folder, end_of(folder))

    def commit_point(self, name: str, head: Head) -> Operation:
        """The operation that, with the index, commits it."""
        return put(self._layout.intent(name) + b"head", write(head))

    async def finish(self, lead: int, intent: Intent, *, is_begun: bool) -> None:
        """Write the rows and delete the intent; from the first, if somebody has begun to.

        Each transaction counts a step, so that none that was delayed comes after a later one.
        """
        folder = self._layout.intent(intent.name)
        step, head = folder + b"step", Guard(folder + b"head", "mod_revision", intent.revision)
        if is_begun and (found := await self._client.range(step)).kvs:
            guard = Guard(step, "mod_revision", found.kvs[0].mod_revision)
            await self._fence.write(lead, [remove(step)], guard, only_while=head)
        steps = 0
        async for operations in self._transactions(intent):
            guard = Guard(step, "version", steps)
            await self._fence.write(lead, [*operations, put(step, b"")], guard, only_while=head)
            steps += 1
        await self._fence.write(lead, [remove(folder, end_of(folder))], head)

    async def finish_all(self, lead: int) -> None:
        """Make what an earlier leader committed and did not finish; drop what it did not commit."""
        for intent in await self.found():
            if intent.revision:
                await self.finish(lead, intent, is_begun=True)
            else:
                folder = self._layout.intent(intent.name)
                await self._client.delete_range(folder, end_of(folder))

    async def found(self, revision: int = 0) -> list[Intent]:
        """Those that are there, in order; those without a head have the revision 0.

        With a `revision` the member in use is asked alone.
        """
        start = self._layout.intents
        answer = await self._client.range(
            start, end_of(start), revision=revision, serializable=bool(revision), keys_only=True
        )
        heads: dict[str, int] = {}
        for kv in answer.kvs:
            name, is_head = self._layout.intent_name(kv.key)
            heads[name] = kv.mod_revision if is_head else heads.get(name, 0)
        return [await self._read(name, head, revision) for name, head in sorted(heads.items())]

    async def _read(self, name: str, written: int, revision: int) -> Intent:
        if not written:
            return Intent(name, Head(0), 0)
        answer = await self._client.range(
            self._layout.intent(name) + b"head", revision=revision, serializable=bool(revision)
        )
        if not answer.kvs:
            raise UnavailableError(f"the intent {name} was finished by another server")
        return Intent(name, read(Head, answer.kvs[0].value, self._layout), written)

    async def chunks(self, intent: Intent, revision: int = 0) -> AsyncIterator[Changes]:
        """Its changes, in order. With a `revision` the member in use is asked alone.

        Raises:
            CompactedError: that revision is gone.
        """
        folder = self._layout.intent(intent.name)
        for number in count():
            answer = await self._client.range(
                folder + b"chunk/%08d" % number, revision=revision, serializable=bool(revision)
            )
            if not answer.kvs:
                return
            yield msgspec.msgpack.decode(answer.kvs[0].value, type=Changes)

    async def spelled_out(
        self, name: str, revision: int
    ) -> tuple[set[bytes], list[tuple[bytes, bytes]]]:
        """Which rows a batch deletes and puts, before it is made: at its head's revision.

        Raises:
            CompactedError: that revision is gone.
        """
        deletes: set[bytes] = set()
        puts: list[tuple[bytes, bytes]] = []
        async for chunk in self.chunks(Intent(name, Head(0), revision), revision):
            for prefix in chunk.prefixes:
                answer = await self._client.range(
                    prefix, end_of(prefix), revision=revision, serializable=True, keys_only=True
                )
                deletes.update(kv.key for kv in answer.kvs)
            deletes.update(chunk.deletes)
            puts += chunk.puts
        return deletes.difference(key for key, _ in puts), puts

    async def _transactions(self, intent: Intent) -> AsyncIterator[list[Operation]]:
        if intent.head.replace:
            yield [remove(self._layout.rows, end_of(self._layout.rows))]
        async for chunk in self.chunks(intent):
            for operations in stepwise(chunk, self._limits):
                yield operations


def chunks_of(changes: Changes, limits: Limits) -> Iterator[Changes]:
    """The same changes in order, in parts that fit into one request each."""
    for prefixes in packed(changes.prefixes, len, limits):
        yield Changes(prefixes, [], [])
    for deletes in packed(changes.deletes, len, limits):
        yield Changes([], deletes, [])
    for puts in packed(changes.puts, put_size, limits):
        yield Changes([], [], puts)


def replacing(rows: Iterable[StoredRow], layout: Layout, limits: Limits) -> Iterator[Changes]:
    """All rows there are to be, taken one by one, in parts that fit into one request each."""
    pairs = ((layout.row(row.table, row.key), as_bytes(row.text)) for row in rows)
    for puts in packed(pairs, put_size, limits):
        yield Changes([], [], puts)


def overlay(rows: dict[bytes, bytes], chunk: Changes) -> None:
    """Make a chunk's changes in rows that were read; they may have been made in part."""
    for prefix in chunk.prefixes:
        for key in [key for key in rows if key.startswith(prefix)]:
            del rows[key]
    for key in chunk.deletes:
        rows.pop(key, None)
    rows.update(chunk.puts)

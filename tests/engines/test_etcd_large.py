"""A batch of several transactions, of which something fails after it is committed."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress

import pytest

from fairlead.engines import Batch, Changed, Contents, Elected, Renewed, StoredRow
from fairlead.engines.etcd.changes import Changes
from fairlead.engines.etcd.failures import FullError
from fairlead.engines.etcd.fence import Guard
from fairlead.engines.etcd.intents import Intent, Intents
from fairlead.engines.etcd.layout import Head, IndexMark, Operation, put
from fairlead.errors import DeposedError
from tests.engines.between import proxy
from tests.etcd import LIMITS, Etcd, Server, batch, servers

ROWS = 3000


def large(index: int) -> Batch:
    puts = [StoredRow("kv", f"large/{number:04d}", f"{index}") for number in range(ROWS)]
    return Batch(index, [], [], puts, {"kv": index})


def indexes(server: Server) -> list[int]:
    return [event.index for event in server.events if isinstance(event, Changed)]


async def count(server: Server) -> int:
    return len(list((await server.engine.load()).rows))


@pytest.fixture
def own() -> Iterator[Etcd]:
    """An etcd of the test's own, to be killed or filled."""
    started = Etcd("--quota-backend-bytes=8000000").start()
    yield started
    started.remove()


def after_head(monkeypatch: pytest.MonkeyPatch, once: Callable[[], object]) -> None:
    """Have something happen when the head is written and no row is."""
    original = Intents._transactions
    left = [once]

    async def patched(self: Intents, intent: Intent) -> AsyncIterator[list[Operation]]:
        while left:
            await asyncio.to_thread(left.pop())
        async for operations in original(self, intent):
            yield operations

    monkeypatch.setattr(Intents, "_transactions", patched)


def fill(etcd: Etcd) -> None:
    with suppress(AssertionError):
        while True:
            etcd.ctl("put", "filler", "v" * 100_000)


async def make_room(etcd: Etcd) -> None:
    client = etcd.client()
    try:
        await client.delete_range(b"filler")
        await client.compact((await client.range(b"x")).header.revision)
        await client.defragment()
        for alarm in await client.alarms():
            await client.disarm(alarm.memberID, alarm.alarm)
    finally:
        await client.close()


async def test_a_batch_counts_when_etcd_is_full_after_its_head_and_is_finished_with_room(
    own: Etcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_head(monkeypatch, lambda: fill(own))
    async with servers(own.address(options=""), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        await a.engine.commit(large(2))
        for _ in range(2):
            with pytest.raises(FullError, match="etcd is full"):
                await a.engine.commit(batch(3, ("kv", "x", "3")))
        assert a.engine.lease_until > 0
        await a.engine.barrier()
        await b.sees(Changed, 2)
        assert await count(b) == ROWS + 1
        await make_room(own)
        async with asyncio.timeout(20):
            while True:
                with suppress(FullError):
                    await a.engine.commit(batch(3, ("kv", "x", "3")))
                    break
                await asyncio.sleep(0.1)
        await b.sees(Changed, 3)
        assert indexes(b) == [1, 2, 3]
        assert a.events == [Elected(None), Elected(a.me)]
        assert await a.engine._intents.found() == []
        rows = {row.key: bytes(row.text) for row in (await b.engine.load()).rows}  # type: ignore[arg-type]
        assert rows["x"] == b"3"
        assert len(rows) == ROWS + 1


@pytest.mark.parametrize("replaces", [False, True])
async def test_a_batch_counts_when_etcd_dies_after_its_head_and_the_next_leader_finishes_it(
    own: Etcd, monkeypatch: pytest.MonkeyPatch, *, replaces: bool
) -> None:
    after_head(monkeypatch, own.kill)
    async with servers(own.address(options=""), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        await b.sees(Changed)
        if replaces:
            await a.engine.replace(Contents(2, large(2).puts, {"kv": 2}))
        else:
            await a.engine.commit(large(2))
        # What comes next finds out that there is no etcd.
        with pytest.raises(DeposedError):
            await a.engine.commit(batch(3, ("kv", "x", "3")))
        assert a.engine.lease_until == 0
        await a.sees(Elected(None), 2)
        await asyncio.to_thread(own.start)
        await b.sees(Renewed if replaces else Changed, 1 if replaces else 2)
        assert await count(b) == ROWS + (0 if replaces else 1)
        leader = await first_elected(a, b)
        assert await leader.engine._intents.found() == []
        await leader.engine.commit(batch(3, ("kv", "y", "3")))
        other = b if leader is a else a
        await other.sees(Changed, len(indexes(other)) + (3 not in indexes(other)))
        assert indexes(a) == ([] if leader is a else [3]), "its own batch is no news to it"
        assert await count(other) == ROWS + (1 if replaces else 2)


async def first_elected(a: Server, b: Server) -> Server:
    """The leader after the first one, which was `a`."""
    async with asyncio.timeout(20):
        while True:
            if a.events.count(Elected(a.me)) == 2:
                return a
            if Elected(b.me) in b.events:
                return b
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["small", "large", "replace"])
async def test_a_commit_that_is_cancelled_is_news_to_who_made_it(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    prefix = f"?prefix={uuid.uuid4().hex}&{LIMITS}"
    news, number = (Renewed, 1) if kind == "replace" else (Changed, 2)
    original = Intents.commit_point
    async with proxy(etcd) as between, servers(f"127.0.0.1:{between.port}{prefix}", "a") as (a,):
        b = await Server(f"{etcd.endpoint}{prefix}", "b").start(stands=False)
        await a.engine.commit(batch(1, ("kv", "x", "1")))

        def held(self: Intents, name: str, head: Head) -> Operation:
            between.answers.clear()
            return original(self, name, head)

        monkeypatch.setattr(Intents, "commit_point", held)
        if kind == "small":
            between.answers.clear()
            call = a.engine.commit(batch(2, ("kv", "x", "2")))
        elif kind == "large":
            call = a.engine.commit(large(2))
        else:
            call = a.engine.replace(Contents(2, large(2).puts, {"kv": 2}))
        running = asyncio.create_task(call)
        await b.sees(news, number)
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert a.engine.lease_until == 0
        assert a.events == [Elected(None), Elected(a.me), Elected(None)]
        between.answers.set()
        if kind == "replace":
            await a.sees(Renewed)
            await a.engine.load()
        await a.sees(Elected(a.me), 2)
        assert type(a.events[3]) is news, "before anybody leads"
        await a.engine.commit(batch(3, ("kv", "y", "3")))
        await b.close()


async def test_what_was_begun_in_one_lead_is_not_written_in_the_next(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        lead, name = a.engine._lead.revision, a.engine._intents.name(2, a.engine._lead.revision)
        chunk = Changes([], [], [(a.engine._layout.row("kv", "x"), b"lost")])
        await a.engine._intents.prepare(lead, name, [chunk])
        await b.engine.stand_down()
        await b.engine.depose(a.me)
        await a.sees(Elected(a.me), 2)
        assert await a.engine._intents.found() == [], "the next leader has dropped it"
        with pytest.raises(DeposedError, match="nothing was written"):
            await a.engine._intents.prepare(lead, name, [chunk])
        head = a.engine._intents.commit_point(name, Head(2))
        with pytest.raises(DeposedError, match="nothing was written"):
            await a.engine._commit(lead, [head], IndexMark(2))
        await a.engine.commit(batch(2, ("kv", "y", "2")))
        assert a.engine.lease_until > 0, "the lead there is, is another"
        assert await count(b) == 2


async def test_a_step_that_comes_late_does_not_write_old_rows(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.engine.commit(large(1))
        await a.engine.commit(batch(2, ("kv", "large/0000", "2")))
        lead, layout = a.engine._lead.revision, a.engine._layout
        folder = layout.intent("gone")
        row = put(layout.row("kv", "large/0000"), b"1")
        with pytest.raises(DeposedError):
            await a.engine._fence.write(
                lead,
                [row],
                Guard(folder + b"step", "version", 0),
                only_while=Guard(folder + b"head", "mod_revision", 7),
            )
        rows = {row.key: row.text for row in (await b.engine.load()).rows}
        assert rows["large/0000"] == b"2"


async def test_a_batch_waits_until_the_rows_of_the_one_before_are_written(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        for index in range(1, 5):
            await a.engine.commit(large(index))
        await a.engine.commit(batch(5, ("kv", "large/0001", "5")))
        await b.sees(Changed, 5)
        assert indexes(b) == [1, 2, 3, 4, 5]
        rows = [row.text for row in (await b.engine.load()).rows]
        assert rows == [b"4", b"5"] + [b"4"] * (ROWS - 2)

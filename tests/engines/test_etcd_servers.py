"""`fairlead.engines.etcd`: several servers on one etcd, one of which leads."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from fairlead.engines import Batch, Changed, Contents, Elected, Leader, Renewed, StoredRow
from fairlead.engines.etcd.engine import EtcdEngine
from fairlead.engines.etcd.intents import Intents
from fairlead.errors import DeposedError, UnavailableError
from tests.etcd import Etcd, Server, batch, servers


async def rows(engine: EtcdEngine) -> dict[tuple[str, str], str]:
    contents = await engine.load()
    return {(row.table, row.key): bytes(row.text).decode() for row in contents.rows}  # type: ignore[arg-type]


def changes(server: Server) -> list[Changed]:
    return [event for event in server.events if isinstance(event, Changed)]


async def test_one_of_three_leads_and_the_others_see_what_it_commits(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b", "c") as (a, b, c):
        await a.engine.commit(batch(1, ("kv", "x", "1"), ("sessions", "s", "2")))
        await a.engine.commit(Batch(2, [("kv", "")], [("sessions", "s")], [], {"kv": 2}))
        for other in (b, c):
            await other.sees(Changed, 2)
            assert other.events == [
                Elected(a.me),
                Changed(
                    1,
                    {"kv": 1, "sessions": 1},
                    [],
                    [StoredRow("kv", "x", b"1"), StoredRow("sessions", "s", b"2")],
                ),
                Changed(2, {"kv": 2}, [("kv", "x"), ("sessions", "s")], []),
            ]
            with pytest.raises(DeposedError, match="does not lead"):
                await other.engine.commit(batch(3, ("kv", "y", "1")))
        assert a.events == [Elected(None), Elected(a.me)]


async def test_what_the_lead_promises_ends_in_time(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        assert 0 < a.engine.lease_until - time.monotonic() <= 3
        assert b.engine.lease_until == 0
        await asyncio.gather(*[a.engine.barrier() for _ in range(20)])
        with pytest.raises(UnavailableError):
            await b.engine.barrier()


async def test_who_stands_down_makes_way_at_once(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        started = time.monotonic()
        await a.engine.stand_down()
        await b.leads()
        assert time.monotonic() - started < 1
        assert a.engine.lease_until == 0
        with pytest.raises(DeposedError):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
        await b.engine.commit(batch(1, ("kv", "x", "2")))
        await a.sees(Changed)
        assert a.events[1:] == [
            Elected(a.me),
            Elected(None),
            Elected(b.me),
            Changed(1, {"kv": 1}, [], [StoredRow("kv", "x", b"2")]),
        ]


async def test_the_next_leads_when_the_lease_of_a_dead_one_is_over(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        started = time.monotonic()
        await a.crash()
        await b.leads()
        assert time.monotonic() - started < 6
        await b.engine.commit(batch(2, ("kv", "x", "2")))
        assert await rows(b.engine) == {("kv", "x"): "2"}


async def test_a_dead_leader_is_deposed_before_its_lease_ends(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.crash()
        started = time.monotonic()
        await b.engine.depose(Leader("other", "id", "other:1"))
        await b.engine.depose(a.me)
        await b.leads()
        assert time.monotonic() - started < 1


async def test_a_deposed_leader_writes_nothing(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        # It does not notice: nothing of what it runs goes on.
        a.engine._campaign._task.cancel()  # type: ignore[union-attr]
        a.engine._runs.cancel()  # type: ignore[union-attr]
        lead = (a.engine._lead.revision, a.engine._lead.lease, a.engine._lead._until)
        await b.engine.depose(a.me)
        await b.leads()
        a.engine._lead.revision, a.engine._lead.lease, a.engine._lead._until = lead
        a.engine._lead.is_ready = True
        for attempt in (batch(2, ("kv", "x", "lost")), large(2)):
            a.engine._lead.revision, a.engine._lead.is_ready = lead[0], True
            with pytest.raises(DeposedError, match="nothing was written"):
                await a.engine.commit(attempt)
            assert a.engine.lease_until == 0
        a.engine._lead.revision, a.engine._lead.is_ready = lead[0], True
        with pytest.raises(DeposedError):
            await a.engine.replace(Contents(3, [StoredRow("kv", "y", "lost")]))
        assert await rows(b.engine) == {("kv", "x"): "1"}
        await b.engine.commit(batch(2, ("kv", "x", "2")))
        assert not await b.engine._intents.found()


async def test_a_server_that_restarts_within_its_lease_leads_again_at_once(etcd: Etcd) -> None:
    address = etcd.address()
    first = await Server(address, "a").start()
    await first.leads()
    await first.crash()
    started = time.monotonic()
    second = await Server(address, "a").start()
    await second.leads()
    assert second.events == [Elected(None), Elected(second.me)]
    assert time.monotonic() - started < 1
    await second.close()


def large(index: int, count: int = 3000) -> Batch:
    puts = [StoredRow("kv", f"large/{number:04d}", f"{index}") for number in range(count)]
    return Batch(index, [("kv", "old/")], [("kv", "x")], puts, {"kv": index})


async def test_a_large_batch_is_one_event_and_a_change_of_all_or_nothing(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        before = batch(1, ("kv", "x", "1"), ("kv", "old/a", "1"), ("kv", "stays", "1"))
        await a.engine.commit(before)
        watching = asyncio.create_task(sizes(b.engine))
        await a.engine.commit(large(2))
        await b.sees(Changed, 2)
        change = changes(b)[1]
        assert (change.index, change.tables, len(change.puts)) == (2, {"kv": 2}, 3000)
        assert sorted(change.deletes) == [("kv", "old/a"), ("kv", "x")]
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await a.engine.commit(batch(3, ("kv", "x", "3")))
        await b.sees(Changed, 3)
        assert len(await rows(b.engine)) == 3002
        assert not await a.engine._intents.found()


async def sizes(engine: EtcdEngine) -> None:
    """Whoever loads at any moment finds all of the batch, or nothing."""
    while True:
        contents = await engine.load()
        assert (contents.index, len(list(contents.rows))) in {(1, 3), (2, 3001)}


@pytest.mark.parametrize("steps", [0, 1, 3])
async def test_a_batch_that_a_dead_leader_did_not_finish_is_finished_by_the_next(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    address = etcd.address()
    a = await Server(address, "a").start()
    await a.leads()
    await a.engine.commit(batch(1, ("kv", "x", "1"), ("kv", "old/a", "1"), ("kv", "stays", "1")))
    b = await Server(address, "b").start()
    original = Intents._transactions
    dying = asyncio.Event()

    async def interrupted(self, intent):  # type: ignore[no-untyped-def]
        number = 0
        async for operations in original(self, intent):
            if number == steps:
                dying.set()
                await asyncio.Event().wait()
            number += 1
            yield operations

    with monkeypatch.context() as patched:
        patched.setattr(Intents, "_transactions", interrupted)
        await a.engine.commit(large(2))
        await dying.wait()
        await a.crash()
    late = await Server(address, "late").start(stands=False)
    assert len(await rows(late.engine)) == 3001
    await b.leads()
    seen = [type(event) for event in b.events]
    assert seen == [Elected, Changed, Elected, Elected], "all of it comes before the lead"
    await b.engine.commit(batch(3, ("kv", "x", "3")))
    assert len(await rows(b.engine)) == 3002
    assert not await b.engine._intents.found()
    await late.sees(Changed)
    assert [change.index for change in changes(late)] == [3]
    await late.close()
    await b.close()


async def test_chunks_of_a_batch_that_was_never_committed_are_dropped(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        intents = a.engine._intents
        await a.engine.client.put(a.engine._layout.intent("x") + b"chunk/00000000", b"junk")
        assert [found.revision for found in await intents.found()] == [0]
        await a.engine.stand_down()
        await b.leads()
        assert await b.engine._intents.found() == []


async def test_replacing_makes_the_others_load_again(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        new = [StoredRow("kv", f"{number:04d}", "n") for number in range(2500)]
        await a.engine.replace(Contents(9, new, {"kv": 7}))
        await b.sees(Renewed)
        contents = await b.engine.load()
        assert (contents.index, contents.tables) == (9, {"kv": 7})
        assert len(list(contents.rows)) == 2500
        await a.engine.commit(batch(10, ("kv", "y", "1")))
        await b.sees(Changed, 2)
        assert b.events[-2:] == [
            Elected(a.me),
            Changed(10, {"kv": 10}, [], [StoredRow("kv", "y", b"1")]),
        ]
        assert a.events == [Elected(None), Elected(a.me)]


async def test_a_follower_that_missed_what_is_compacted_loads_again(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a") as (a,):
        b = Server(etcd.address(a.engine._layout.text), "b")
        await b.engine.load()
        for index in range(1, 5):
            await a.engine.commit(batch(index, ("kv", "x", str(index))))
        now = (await a.engine.client.range(b"x")).header.revision
        await a.engine.client.compact(now)
        feed = b.engine.feed()
        assert await anext(feed) == Elected(a.me)
        assert await anext(feed) == Renewed()
        assert await rows(b.engine) == {("kv", "x"): "4"}
        assert await anext(feed) == Elected(a.me)
        await a.engine.commit(batch(5, ("kv", "x", "5")))
        assert await anext(feed) == Changed(5, {"kv": 5}, [], [StoredRow("kv", "x", b"5")])
        await b.close()

"""`fairlead.following`: what a server shows of what another one decides, and when.

The engine is the test's own: it hands out the events that the test gives it, at the
moment the test chooses. Real engines are in `tests/servers` and `tests/engines`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from fairlead.core.codec import encode_json
from fairlead.core.commands import KVSet
from fairlead.core.rows import KVRow
from fairlead.engines import Batch, Changed, Elected, FeedEvent, Leader, Renewed, StoredRow
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import DeposedError, UnavailableError
from fairlead.store import Store

OWN = Leader("s1", "id-1", "127.0.0.1:8300")
OTHER = Leader("s2", "id-2", "127.0.0.2:8300")


class HandFed(MemoryEngine):
    """A shared engine whose feed is what the test puts into `events`."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[FeedEvent] = asyncio.Queue()
        self.lease_until = 0.0
        self.refusal: Exception | None = None

    async def feed(self) -> AsyncIterator[FeedEvent]:
        while True:
            event = await self.events.get()
            self.lease_until = time.monotonic() + 60 if event == Elected(OWN) else 0.0
            yield event
            self.events.task_done()

    def stand(self, candidate: Leader) -> None:
        """The test says who leads."""

    async def stand_down(self) -> None:
        self.lease_until = 0.0

    async def depose(self, leader: Leader) -> None:
        """Nobody asks."""

    async def barrier(self) -> None:
        """A majority always agrees."""

    async def commit(self, batch: Batch) -> None:
        if self.refusal is not None:
            self.lease_until = 0.0
            raise self.refusal


@pytest.fixture
def engine() -> HandFed:
    return HandFed()


async def opened(engine: HandFed) -> Store:
    store = Store(engine)
    await store.open()
    assert store.following is not None
    store.following.stand(OWN)
    return store


async def told(engine: HandFed, *events: FeedEvent) -> None:
    """Give the events, and wait until they were taken in."""
    for event in events:
        engine.events.put_nowait(event)
    async with asyncio.timeout(10):
        await engine.events.join()


def changed(index: int, key: str, value: bytes) -> Changed:
    row = KVRow(lock_index=0, key=key, flags=0, value=value, create_index=1, modify_index=index)
    return Changed(index, {"kv": index}, [], [StoredRow("kv", key, encode_json(row))])


async def test_what_another_server_commits_is_read_here(engine: HandFed) -> None:
    store = await opened(engine)
    await told(engine, Elected(OTHER), changed(5, "a", b"1"))
    assert store.state.kv.rows["a"].value == b"1"
    assert (store.state.index, store.state.kv.index, store.state.nodes.index) == (5, 5, 0)
    assert (store.leads, store.leader) == (False, OTHER)
    await store.close()


async def test_only_the_server_that_leads_decides(engine: HandFed) -> None:
    store = await opened(engine)
    await told(engine, Elected(OTHER))
    with pytest.raises(DeposedError, match="No cluster leader"):
        await store.submit(KVSet("a", b"1"))
    await told(engine, Elected(OWN))
    assert await store.submit(KVSet("a", b"1")) is True
    await told(engine, Elected(None))
    with pytest.raises(DeposedError):
        await store.submit(KVSet("a", b"2"))
    await store.close()


async def test_a_batch_is_shown_when_its_leader_shows_it(engine: HandFed) -> None:
    store = await opened(engine)
    following = store.following
    assert following is not None
    await told(engine, Elected(OTHER))
    following.hears_leader = lambda: True
    engine.events.put_nowait(changed(5, "a", b"1"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert "a" not in store.state.kv.rows
    following.leader_has(5)
    async with asyncio.timeout(10):
        await engine.events.join()
    assert store.state.kv.rows["a"].value == b"1"
    await store.close()


async def test_nothing_waits_for_the_word_of_a_leader_that_cannot_be_heard(
    engine: HandFed,
) -> None:
    store = await opened(engine)
    following = store.following
    assert following is not None
    heard = [True]
    await told(engine, Elected(OTHER))
    following.hears_leader = lambda: heard[0]
    engine.events.put_nowait(changed(5, "a", b"1"))
    await asyncio.sleep(0)
    heard[0] = False
    following.leader_lost()
    async with asyncio.timeout(10):
        await engine.events.join()
    assert "a" in store.state.kv.rows
    await store.close()


async def test_a_commit_of_unknown_outcome_ends_the_lead_until_the_feed_gives_it_anew(
    engine: HandFed,
) -> None:
    store = await opened(engine)
    await told(engine, Elected(OWN))
    engine.refusal = UnavailableError("no answer")
    with pytest.raises(UnavailableError, match="no answer"):
        await store.submit(KVSet("a", b"1"))
    engine.refusal = None
    assert not store.leads
    with pytest.raises(DeposedError):
        await store.submit(KVSet("a", b"2"))
    # It did happen, as the feed says before anybody leads again.
    await told(engine, changed(9, "a", b"1"), Elected(OWN))
    assert store.state.kv.rows["a"].value == b"1"
    assert await store.submit(KVSet("a", b"3")) is True
    assert store.state.index == 10
    await store.close()


async def test_an_answer_that_changes_nothing_needs_the_lease_too(engine: HandFed) -> None:
    store = await opened(engine)
    await told(engine, Elected(OWN))
    await store.submit(KVSet("a", b"1"))
    engine.lease_until = time.monotonic() - 1
    with pytest.raises(DeposedError):
        await store.submit(KVSet("a", b"2", 0, 0))
    await store.close()


async def test_who_waits_for_an_index_is_told_with_the_batch_that_reaches_it(
    engine: HandFed,
) -> None:
    store = await opened(engine)
    following = store.following
    assert following is not None
    reached = asyncio.create_task(following.reached(7))
    await told(engine, Elected(OTHER), changed(5, "a", b"1"))
    assert not reached.done()
    await told(engine, changed(8, "a", b"2"))
    async with asyncio.timeout(10):
        await reached
    await store.close()


async def test_a_state_that_was_replaced_is_loaded_anew(engine: HandFed) -> None:
    store = await opened(engine)
    await told(engine, Elected(OTHER), changed(5, "a", b"1"))
    old = store.state
    engine.events.put_nowait(Renewed())
    async with asyncio.timeout(10):
        while store.state is old:
            await asyncio.sleep(0)
    assert "a" not in store.state.kv.rows, "this engine holds nothing"
    await store.close()

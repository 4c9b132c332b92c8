"""`fairlead.agent.session_timers`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead.agent.session_timers import SessionTimers
from fairlead.clock import FakeClock
from fairlead.core.commands import SessionCreate, SessionDestroy
from fairlead.core.rows import SessionRow
from fairlead.engines import Batch
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import UnavailableError
from fairlead.store import Store
from tests.core.deciding import node_rows


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = Store(MemoryEngine())
    await store.open()
    await store.submit(node_rows())
    yield store
    await store.close()


async def made(store: Store, timers: SessionTimers, name: str, ttl: str) -> SessionRow:
    await store.submit(SessionCreate(SessionRow(name, "", "n1", 0, "release", ttl, [], None)))
    session = store.state.sessions.rows[name]
    timers.track(session)
    return session


async def test_a_session_lives_twice_its_ttl(store: Store, clock: FakeClock) -> None:
    timers = SessionTimers(store, clock)
    await made(store, timers, "s1", "10s")
    clock.advance(19.9)
    assert timers.due() == []
    clock.advance(0.2)
    assert timers.due() == ["s1"]
    assert timers.due() == []
    assert len(timers) == 0


async def test_renewing_gives_the_full_time_again(store: Store, clock: FakeClock) -> None:
    timers = SessionTimers(store, clock)
    session = await made(store, timers, "s1", "10s")
    for _ in range(10):
        clock.advance(15)
        timers.track(session)
        assert timers.due() == []
    clock.advance(20)
    assert timers.due() == ["s1"]


async def test_sessions_without_a_ttl_live_on(store: Store, clock: FakeClock) -> None:
    timers = SessionTimers(store, clock)
    await made(store, timers, "s1", "")
    await made(store, timers, "s2", "0s")
    clock.advance(1e9)
    assert timers.due() == []


async def test_a_session_that_is_gone_is_not_due(store: Store, clock: FakeClock) -> None:
    timers = SessionTimers(store, clock)
    await made(store, timers, "s1", "10s")
    await store.submit(SessionDestroy("s1", 0))
    clock.advance(30)
    assert timers.due() == []
    assert len(timers) == 0


async def test_after_a_start_every_session_gets_its_full_time(
    store: Store, clock: FakeClock
) -> None:
    await made(store, SessionTimers(store, clock), "s1", "10s")
    clock.advance(100)
    timers = SessionTimers(store, clock)
    timers.track_all()
    assert timers.due() == []
    clock.advance(20)
    assert timers.due() == ["s1"]


async def test_the_first_due_comes_first(store: Store, clock: FakeClock) -> None:
    timers = SessionTimers(store, clock)
    for name, ttl in (("c", "30s"), ("a", "10s"), ("b", "20s")):
        await made(store, timers, name, ttl)
    clock.advance(1000)
    assert timers.due() == ["a", "b", "c"]


class FullDisk(MemoryEngine):
    """Refuses every batch while it is `full`."""

    full = False

    async def commit(self, batch: Batch) -> None:
        if self.full:
            raise UnavailableError("cannot write: the disk is full")


async def test_sessions_that_could_not_be_destroyed_stay_due_unless_renewed(
    clock: FakeClock,
) -> None:
    engine = FullDisk()
    store = Store(engine)
    await store.open()
    await store.submit(node_rows())
    timers = SessionTimers(store, clock)
    for name in ("s1", "s2", "s3"):
        session = await made(store, timers, name, "10s")
    clock.advance(21)
    engine.full = True
    for _ in range(2):
        with pytest.raises(UnavailableError):
            await timers.run()
    assert len(timers) == 3
    timers.track(session)
    engine.full = False
    assert timers.due() == ["s1", "s2"]
    clock.advance(21)
    assert timers.due() == ["s3"]
    await store.close()

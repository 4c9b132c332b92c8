"""`fairlead.agent.tombstones`."""

from __future__ import annotations

from fairlead.agent.tombstones import TombstoneReaper
from fairlead.clock import FakeClock
from fairlead.core.commands import KVDelete, KVSet
from fairlead.durations import SECOND_NS
from fairlead.engines.memory import MemoryEngine
from fairlead.store import Store


async def test_tombstones_ripen_when_their_time_is_over() -> None:
    clock, store = FakeClock(), Store(MemoryEngine())
    await store.open()
    reaper = TombstoneReaper(store, clock, 60 * SECOND_NS)
    await store.submit(KVSet("a", b"v"))
    await store.submit(KVDelete("a"))
    deleted_at = store.state.index
    assert reaper.ripe() == 0
    clock.advance(30)
    await store.submit(KVSet("b", b"v"))
    assert reaper.ripe() == 0
    clock.advance(30)
    assert reaper.ripe() == deleted_at
    clock.advance(30)
    assert reaper.ripe() == store.state.index
    await store.close()

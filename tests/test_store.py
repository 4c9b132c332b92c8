"""`fairlead.store`: one writer, batches, and answers only after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fairlead.core import kv
from fairlead.core.commands import KVDelete, KVDeleteTree, KVSet
from fairlead.core.reads import Watch
from fairlead.engines import Batch, Contents, StoredRow
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import InvalidError, UnavailableError
from fairlead.store import Store


class HeldEngine(MemoryEngine):
    """A memory engine whose commits wait for `release`, as a disk makes them wait."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.fails = False

    async def commit(self, batch: Batch) -> None:
        self.batches.append(len(list(batch.puts)))
        await self.gate.wait()
        if self.fails:
            raise UnavailableError("the disk is gone")


@pytest.fixture
async def engine() -> HeldEngine:
    return HeldEngine()


@pytest.fixture
async def store(engine: HeldEngine) -> AsyncIterator[Store]:
    store = Store(engine)
    await store.open()
    yield store
    engine.gate.set()
    await store.close()


async def turns(count: int = 10) -> None:
    """Let the loop go round."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_nobody_sees_a_write_before_it_is_committed(store: Store, engine: HeldEngine) -> None:
    answer = store.submit(KVSet("a", b"v"))
    await turns()
    assert engine.batches == [1]
    assert not answer.done()
    assert kv.read_key(store.state, "a").value is None
    engine.gate.set()
    assert await answer is True
    assert kv.read_key(store.state, "a").value is not None


async def test_what_comes_during_a_commit_forms_the_next_batch(
    store: Store, engine: HeldEngine
) -> None:
    first = store.submit(KVSet("a", b"v"))
    await turns()
    rest = [store.submit(KVSet(f"k{number}", b"v")) for number in range(50)]
    await turns()
    assert engine.batches == [1]
    engine.gate.set()
    await asyncio.gather(first, *rest)
    assert engine.batches == [1, 50]


async def test_commands_of_a_batch_see_those_before_them(store: Store, engine: HeldEngine) -> None:
    engine.gate.set()
    answers = await asyncio.gather(
        store.submit(KVSet("a", b"1", cas=0)),
        store.submit(KVSet("a", b"2", cas=0)),
        store.submit(KVDelete("a")),
        store.submit(KVSet("a", b"3", cas=0)),
    )
    assert list(answers) == [True, False, True, True]
    assert len(engine.batches) == 1
    assert store.state.kv.rows["a"].value == b"3"


async def test_a_refusal_fails_one_command_alone(store: Store, engine: HeldEngine) -> None:
    engine.gate.set()
    good, bad, other = (
        store.submit(KVSet("a", b"1")),
        store.submit(KVSet("", b"1")),
        store.submit(KVSet("b", b"1")),
    )
    assert await good is True
    with pytest.raises(InvalidError, match="Must provide key"):
        await bad
    assert await other is True


async def test_a_failed_commit_changes_nothing_and_every_caller_learns_of_it(
    store: Store, engine: HeldEngine
) -> None:
    engine.gate.set()
    engine.fails = True
    results = await asyncio.gather(
        store.submit(KVSet("a", b"1")),
        store.submit(KVSet("a", b"2", cas=7)),
        return_exceptions=True,
    )
    assert [str(result) for result in results] == ["the disk is gone", "the disk is gone"]
    assert store.state.index == 0
    engine.fails = False
    assert await store.submit(KVSet("a", b"1")) is True
    assert store.state.kv.rows["a"].modify_index == 1


async def test_a_command_that_changes_nothing_costs_no_commit(
    store: Store, engine: HeldEngine
) -> None:
    assert await store.submit(KVDelete("never")) is True
    assert await store.submit(KVDeleteTree("nothing/")) is True
    assert engine.batches == []


async def test_a_fault_of_ours_fails_one_command_and_the_writer_goes_on(
    store: Store, engine: HeldEngine
) -> None:
    engine.gate.set()
    nonsense = store.submit("no command")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        await nonsense
    assert await store.submit(KVSet("a", b"1")) is True


async def test_a_caller_that_gave_up_does_not_stop_the_write(
    store: Store, engine: HeldEngine
) -> None:
    answer = store.submit(KVSet("a", b"1"))
    await turns()
    answer.cancel()
    engine.gate.set()
    await turns()
    assert "a" in store.state.kv.rows


async def test_changes_can_be_waited_for(store: Store, engine: HeldEngine) -> None:
    engine.gate.set()
    changed = store.changed((Watch("kv", "a/"),))
    await store.submit(KVSet("b", b"1"))
    assert not changed.done()
    await store.submit(KVSet("a/1", b"1"))
    await asyncio.wait_for(changed, 1)


async def test_who_stops_to_wait_is_forgotten(store: Store) -> None:
    changed = store.changed((Watch("kv", "a/"),))
    assert store.watches.count == 1
    changed.cancel()
    await turns()
    assert store.watches.count == 0


async def test_a_restore_replaces_all_wakes_all_and_never_lowers_the_index(
    store: Store, engine: HeldEngine
) -> None:
    engine.gate.set()
    await store.submit(KVSet("kept", b"1"))
    saved = store.contents()
    rows = list(saved.rows)
    await store.submit(KVSet("later", b"1"))
    high = kv.read_prefix(store.state, "").index
    changed = store.changed((Watch("kv", "unrelated", False),))
    await store.restore(Contents(saved.index, rows))
    assert list(store.state.kv.rows) == ["kept"]
    assert changed.done()
    for key in ("kept", "later", "never"):
        assert kv.read_key(store.state, key).index > high
    assert store.state.kv.rows["kept"].modify_index == 1


@pytest.mark.parametrize(
    "rows",
    [
        [StoredRow("kv", "a", b'{"Key":5}')],
        [StoredRow("kv", "a", b"{")],
        [StoredRow("nonsense", "a", b"{}")],
        [StoredRow("marks", "x", b'{"Name":"x","Index":1}'), StoredRow("kv", "a", b"[]")],
    ],
)
async def test_a_restore_of_rows_that_are_none_changes_nothing(
    store: Store, engine: HeldEngine, rows: list[StoredRow]
) -> None:
    engine.gate.set()
    await store.submit(KVSet("a", b"1"))
    with pytest.raises(InvalidError):
        await store.restore(Contents(9, rows))
    assert store.state.index == 1
    assert await store.submit(KVSet("b", b"1")) is True


async def test_a_snapshot_is_of_one_moment(store: Store, engine: HeldEngine) -> None:
    engine.gate.set()
    await store.submit(KVSet("a", b"1"))
    contents = store.contents()
    await store.submit(KVSet("b", b"1"))
    assert [row.key for row in contents.rows if row.table == "kv"] == ["a"]


async def test_closing_refuses_what_is_not_yet_begun(engine: HeldEngine) -> None:
    store = Store(engine)
    await store.open()
    begun = store.submit(KVSet("a", b"1"))
    await turns()
    waiting = store.submit(KVSet("b", b"1"))
    closing = asyncio.create_task(store.close())
    await turns()
    engine.gate.set()
    await closing
    assert await begun is True
    with pytest.raises(UnavailableError, match="the agent is stopping"):
        await waiting

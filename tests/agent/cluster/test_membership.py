"""`fairlead.agent.cluster.membership`, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairlead.agent.cluster.membership import Membership
from fairlead.clock import FakeClock
from fairlead.core.commands import CatalogRegister, SessionCreate
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import CheckRow, MemberRow, SessionRow
from fairlead.engines import Batch
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import InvalidError, UnavailableError
from fairlead.store import Store
from tests.agent.cluster.linked import HOUR_NS, node_row

TIMEOUT_NS = 72 * HOUR_NS


class Tables:
    """A store, its members and the clock they live by."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.membership = Membership(store, self.clock, "s1", TIMEOUT_NS)

    async def join(self, name: str, number: int = 1) -> None:
        member = MemberRow(name, f"10.0.0.{number % 250}", 8301, {}, ALIVE)
        await self.membership.join(node_row(name, number), member)

    async def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self.membership.tick()

    def status(self, name: str) -> int:
        row = self.store.state.members.rows.get(name)
        return row.status if row is not None else 0

    def failed(self) -> int:
        return sum(row.status == FAILED for row in self.store.state.members.rows.values())


@pytest.fixture
async def tables() -> AsyncIterator[Tables]:
    store = Store(MemoryEngine())
    await store.open()
    yield Tables(store)
    await store.close()


async def test_of_a_thousand_agents_a_dead_one_is_noticed_within_ten_seconds(
    tables: Tables,
) -> None:
    for number in range(1000):
        await tables.join(f"c{number}", number)
    membership = tables.membership
    assert membership.interval_s == 2.5
    beats = 0
    for _ in range(4):
        for number in range(100, 1000):
            membership.beat(f"c{number}")
            beats += 1
        index = tables.store.state.index
        await tables.after(2.4)
        assert tables.failed() in (0, 100)
    assert tables.failed() == 100
    assert tables.store.state.checks.rows["c0\tserfhealth"].status == "critical"
    assert tables.store.state.checks.rows["c500\tserfhealth"].status == "passing"
    assert beats / (4 * 2.5) <= 400
    # what changed was written as one batch, one command a table row
    assert tables.store.state.index - index <= 200


async def test_the_sessions_of_a_node_that_failed_end(tables: Tables) -> None:
    await tables.join("c1")
    session = SessionRow("id1", "", "c1", 0, "release", "", ["serfHealth"], None)
    await tables.store.submit(SessionCreate(session))
    await tables.after(4.9)
    assert "id1" in tables.store.state.sessions.rows
    await tables.after(0.2)
    assert "id1" not in tables.store.state.sessions.rows


async def test_one_that_failed_is_forgotten_after_the_reconnect_timeout(tables: Tables) -> None:
    await tables.join("c1")
    await tables.after(6)
    assert tables.status("c1") == FAILED
    await tables.after(71.9 * 3600)
    assert tables.status("c1") == FAILED
    assert "c1" in tables.store.state.nodes.rows
    await tables.after(0.2 * 3600)
    assert tables.status("c1") == 0
    assert "c1" not in tables.store.state.nodes.rows


async def test_one_that_left_is_forgotten_after_a_day(tables: Tables) -> None:
    await tables.join("c1")
    await tables.membership.leave("c1")
    await tables.after(23.9 * 3600)
    assert tables.status("c1") == LEFT
    await tables.after(0.2 * 3600)
    assert tables.status("c1") == 0


async def test_force_leave_turns_failed_into_left_and_prune_forgets(tables: Tables) -> None:
    for number in (1, 2):
        await tables.join(f"c{number}", number)
    await tables.after(6)
    await tables.membership.force_leave("c1", prune=False)
    await tables.membership.force_leave("c2", prune=True)
    assert (tables.status("c1"), tables.status("c2")) == (LEFT, 0)
    assert tables.store.state.nodes.rows == {}
    with pytest.raises(InvalidError, match="agent: No node found with name 'nope'"):
        await tables.membership.force_leave("nope", prune=False)


async def test_after_a_restart_agents_have_time_to_find_the_server(tables: Tables) -> None:
    await tables.join("c1", 1)
    await tables.join("c2", 2)
    await tables.membership.leave("c2")
    again = Membership(tables.store, tables.clock, "s1", TIMEOUT_NS)
    again.load()
    tables.clock.advance(14)
    await again.tick()
    assert tables.status("c1") == ALIVE
    tables.clock.advance(2)
    await again.tick()
    assert (tables.status("c1"), tables.status("c2")) == (FAILED, LEFT)


async def test_the_node_of_an_agent_nobody_knows_any_more_is_removed(tables: Tables) -> None:
    """As a snapshot of another time may bring."""
    health = CheckRow("", "serfHealth", "Serf Health Status", "passing")
    for name, number in (("gone", 1), ("s1", 2)):
        await tables.store.submit(CatalogRegister(node_row(name, number), [health]))
    await tables.store.submit(CatalogRegister(node_row("external", 3)))
    tables.membership.load()
    await tables.after(16)
    assert set(tables.store.state.nodes.rows) == {"s1", "external"}


async def test_time_in_which_the_server_slept_is_nobody_s_silence(tables: Tables) -> None:
    await tables.join("c1")
    tables.clock.advance(30)
    tables.membership.excuse(29)
    await tables.membership.tick()
    assert tables.status("c1") == ALIVE
    await tables.after(5)
    assert tables.status("c1") == FAILED


async def test_a_name_held_by_another_living_node_id_is_refused(tables: Tables) -> None:
    await tables.join("c1", 1)
    with pytest.raises(InvalidError, match="is reserved by node"):
        await tables.join("c1", 2)


async def test_the_server_that_watches_does_not_wait_to_hear_of_itself(tables: Tables) -> None:
    for number in (1, 2):
        # As the leader before has left them.
        await tables.join(f"s{number}", number)
    tables.membership.load()
    await tables.after(16)
    assert (tables.status("s1"), tables.status("s2")) == (ALIVE, FAILED)
    assert tables.store.state.checks.rows["s1\tserfhealth"].status == "passing"


async def test_a_failure_that_cannot_be_written_is_written_later() -> None:
    engine = _Stuck()
    store = Store(engine)
    await store.open()
    tables = Tables(store)
    await tables.join("c1")
    engine.is_stuck = True
    with pytest.raises(UnavailableError):
        await tables.after(6)
    assert tables.status("c1") == ALIVE
    engine.is_stuck = False
    await tables.after(0.25)
    assert tables.status("c1") == FAILED
    await store.close()


class _Stuck(MemoryEngine):
    """One that takes nothing for a while, as a full disk does."""

    is_stuck = False

    async def commit(self, batch: Batch) -> None:
        if self.is_stuck:
            raise UnavailableError("the disk is full")
        await super().commit(batch)

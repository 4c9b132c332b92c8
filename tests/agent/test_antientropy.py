"""`fairlead.agent.antientropy`: the catalog says what the agent says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec import structs

from fairlead.agent.antientropy import AntiEntropy, sync_interval_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.definitions import API, ServiceDefinition
from fairlead.agent.local import LocalAgent
from fairlead.agent.registry import NodeContents, StoreRegistry
from fairlead.clock import FakeClock
from fairlead.core.commands import CatalogDeregister, CatalogRegister, Command
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import UnavailableError
from fairlead.store import Store
from tests.agent.locals import TTL, settings_with, web

NODE = NodeRow("", "n1", "10.0.0.1", "dc1", None, None)


class ShyRegistry(StoreRegistry):
    """The registry of a server that can be out of reach; it counts what it is asked to write."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.is_away = False
        self.commands: list[Command] = []

    async def submit(self, command: Command) -> Any:
        if self.is_away:
            raise UnavailableError("No known Consul servers")
        self.commands.append(command)
        return await super().submit(command)

    async def contents(self, node: str) -> NodeContents:
        if self.is_away:
            raise UnavailableError("No known Consul servers")
        return await super().contents(node)


class Synced:
    """A local agent, its anti-entropy and the store they share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock(1)
        self.local = LocalAgent("n1", settings_with(), self.clock)
        self.registry = ShyRegistry(store)
        self.sync = AntiEntropy(self.local, self.registry, NODE, self.clock, lambda: 1)

    @property
    def services(self) -> dict[str, Service]:
        rows = self.store.state.services.rows.values()
        return {row.service.id: row.service for row in rows if row.node == "n1"}

    @property
    def checks(self) -> dict[str, CheckRow]:
        rows = self.store.state.checks.rows.values()
        return {row.check_id: row for row in rows if row.node == "n1"}


@pytest.fixture
async def synced() -> AsyncIterator[Synced]:
    store = Store(MemoryEngine())
    await store.open()
    yield Synced(store)
    await store.close()


@pytest.fixture
async def running(synced: Synced) -> AsyncIterator[Synced]:
    """With its three loops."""
    sync = synced.sync
    loops = (sync.run_pushes, sync.run_syncs, sync.run_repairs)
    tasks = [asyncio.create_task(loop()) for loop in loops]
    await until(lambda: "n1" in synced.store.state.nodes.rows)
    yield synced
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_change_is_there_once_it_was_flushed(running: Synced) -> None:
    web(running.local, TTL, port=80)
    await running.sync.flush()
    assert running.services["web"].port == 80
    assert running.checks["service:web"].status == "critical"
    running.local.refresh("service:web", "passing", "fine")
    await running.sync.flush()
    assert running.checks["service:web"].output == "fine"
    running.local.remove_service("web")
    await running.sync.flush()
    assert (running.services, running.checks) == ({}, {})


async def test_a_service_and_its_checks_are_one_command(running: Synced) -> None:
    running.registry.commands.clear()
    web(running.local, *[TTL] * 20)
    await running.sync.flush()
    assert len(running.registry.commands) == 1
    assert len(running.checks) == 20


async def test_a_burst_is_few_writes(running: Synced) -> None:
    web(running.local, *[TTL] * 500)
    await running.sync.flush()
    running.registry.commands.clear()
    for check_id in running.local.checks:
        running.local.refresh(check_id, "passing", "")
    await running.sync.flush()
    assert len(running.registry.commands) == 2
    assert {check.status for check in running.checks.values()} == {"passing"}


async def test_flushing_waits_for_what_is_on_its_way(running: Synced) -> None:
    for number in range(20):
        web(running.local, port=number)
        # The push begins, and is not done.
        await asyncio.sleep(0)
        await running.sync.flush()
        assert running.services["web"].port == number


async def test_flushing_without_a_change_is_no_wait(synced: Synced) -> None:
    async with asyncio.timeout(1):
        await synced.sync.flush()


async def test_an_idle_agent_writes_nothing(synced: Synced) -> None:
    web(synced.local, TTL, tags=["a"], meta={"x": "y"}, address="10.1.1.1")
    synced.local.set_node_maintenance(enable=True, reason="")
    assert await synced.sync.sync()
    synced.registry.commands.clear()
    for _ in range(3):
        assert await synced.sync.sync()
        assert await synced.sync.repair()
    assert synced.registry.commands == []


async def test_what_was_deregistered_by_hand_comes_back_by_itself(running: Synced) -> None:
    web(running.local, TTL)
    await running.sync.flush()
    for command in (
        CatalogDeregister("n1", service_id="web"),
        CatalogDeregister("n1", check_id="service:web"),
        CatalogDeregister("n1"),
    ):
        await running.store.submit(command)
        await until(lambda: "web" in running.services and "service:web" in running.checks)


async def test_what_was_altered_by_hand_is_put_right(synced: Synced) -> None:
    web(synced.local, TTL, tags=["a"], port=80)
    await synced.sync.sync()
    altered = structs.replace(synced.services["web"], port=81, tags=["b"])
    check = structs.replace(synced.checks["service:web"], status="passing")
    node = structs.replace(NODE, address="9.9.9.9", meta={"a": "b"})
    await synced.store.submit(CatalogRegister(node, [check], altered))
    await synced.sync.repair()
    assert (synced.services["web"].port, synced.services["web"].tags) == (80, ["a"])
    assert synced.checks["service:web"].status == "critical"
    assert synced.store.state.nodes.rows["n1"].address == NODE.address


async def test_strangers_go_with_a_full_sync_but_for_what_servers_put_there(
    synced: Synced,
) -> None:
    await synced.sync.sync()
    other = NodeRow("", "n2", "10.0.0.2", "dc1", None, None)
    for node, services in ((NODE, ("stranger", "consul")), (other, ("far",))):
        for name in services:
            check = CheckRow(node.node, f"c-{name}", "c", "passing", service_id=name)
            await synced.store.submit(CatalogRegister(node, [check], Service(name, name)))
    serf = CheckRow("n1", "serfHealth", "Serf Health Status", "passing")
    await synced.store.submit(CatalogRegister(NODE, [serf, CheckRow("n1", "x", "x", "passing")]))
    await synced.sync.repair()
    assert set(synced.services) == {"stranger", "consul"}
    await synced.sync.sync()
    assert set(synced.services) == {"consul"}
    assert set(synced.checks) == {"c-consul", "serfHealth"}
    assert "n2\tfar" in synced.store.state.services.rows


async def test_tags_that_others_may_set_stay_and_are_taken_over(synced: Synced) -> None:
    web(synced.local, tags=["a"], enable_tag_override=True)
    await synced.sync.sync()
    tagged = structs.replace(synced.services["web"], tags=["b", "c"])
    await synced.store.submit(CatalogRegister(NODE, service=tagged))
    synced.registry.commands.clear()
    await synced.sync.sync()
    assert synced.registry.commands == []
    assert synced.services["web"].tags == ["b", "c"]
    assert synced.local.services["web"].service.tags == ["b", "c"]


async def test_an_output_that_is_held_back_is_not_synced(synced: Synced) -> None:
    web(synced.local, TTL)
    synced.local.refresh("service:web", "passing", "1")
    await synced.sync.sync()
    synced.local.refresh("service:web", "passing", "2")
    await synced.sync.sync()
    assert synced.checks["service:web"].output == "1"
    synced.clock.advance(1000)
    synced.local.push_deferred()
    await synced.sync.sync()
    assert synced.checks["service:web"].output == "2"


async def test_what_changed_while_nobody_could_be_reached_follows(synced: Synced) -> None:
    await synced.sync.sync()
    synced.registry.is_away = True
    web(synced.local, TTL)
    assert not await synced.sync.sync()
    synced.local.refresh("service:web", "passing", "")
    synced.local.add_service(ServiceDefinition(name="other"), API)
    synced.local.remove_service("other")
    assert not await synced.sync.sync()
    synced.registry.is_away = False
    assert await synced.sync.sync()
    assert set(synced.services) == {"web"}
    assert synced.checks["service:web"].status == "passing"


async def test_an_answer_does_not_wait_for_a_registry_that_is_away(running: Synced) -> None:
    running.registry.is_away = True
    web(running.local)
    async with asyncio.timeout(5):
        await running.sync.flush()
    assert running.services == {}


async def test_a_check_whose_service_was_taken_away_is_brought_back_with_it(
    synced: Synced,
) -> None:
    web(synced.local, TTL)
    await synced.sync.sync()
    await synced.store.submit(CatalogDeregister("n1", service_id="web"))
    synced.local.refresh("service:web", "passing", "")
    await synced.sync.sync()
    assert synced.checks["service:web"].status == "passing"


async def test_ids_that_differ_in_case_only_do_not_take_turns(synced: Synced) -> None:
    for id_ in ("web", "WEB"):
        synced.local.add_service(ServiceDefinition(id=id_, name="web"), API)
        synced.local.add_check(CheckDefinition(name=f"c-{id_}", ttl_ns=1), API)
    await synced.sync.sync()
    await synced.sync.sync()
    synced.registry.commands.clear()
    await synced.sync.sync()
    assert synced.registry.commands == []
    synced.local.remove_service("web")
    await synced.sync.sync()
    assert set(synced.services) == {"WEB"}


@pytest.mark.parametrize(("nodes", "seconds"), [(1, 60), (128, 60), (256, 120), (5000, 420)])
def test_large_clusters_sync_less_often(nodes: int, seconds: float) -> None:
    assert sync_interval_s(nodes) == seconds

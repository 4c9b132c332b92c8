"""`fairlead.agent.registrations`: what outlives a restart and a reload."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.idle import IdleRunner
from fairlead.agent.declared import Declared
from fairlead.agent.definitions import ServiceDefinition
from fairlead.agent.local import LocalAgent
from fairlead.agent.registrations import Registrations
from fairlead.agent.registry import StoreRegistry
from fairlead.agent.tasks import Tasks
from fairlead.clock import FakeClock
from fairlead.core.rows import NodeRow
from fairlead.durations import SECOND_NS
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import InvalidError
from fairlead.settings.settings import build
from fairlead.store import Store

NODE = NodeRow("", "n1", "10.0.0.1", "dc1", None, None)
NOTHING = Declared([], [])
TTL = CheckDefinition(ttl_ns=100 * SECOND_NS)
HTTP = CheckDefinition(http="http://127.0.0.1:1/", interval_ns=SECOND_NS)


class World:
    """A data directory, a clock and a store; agents come and go."""

    def __init__(self, folder: Path, store: Store) -> None:
        self.folder = folder
        self.store = store
        self.clock = FakeClock(1)

    @contextlib.asynccontextmanager
    async def agent(self, declared: Declared = NOTHING, **raw: Any) -> AsyncIterator[Registrations]:
        settings = build(
            {"server": True, "bind_addr": "10.0.0.1", "data_dir": str(self.folder), **raw}
        )
        registry = StoreRegistry(self.store)
        registrations = Registrations(settings, NODE, registry, self.clock, lambda: 1)
        registrations.local.runner = IdleRunner()
        tasks = Tasks()
        await registrations.start(tasks, declared)
        try:
            yield registrations
        finally:
            await tasks.stop()
            await registrations.close()

    def names(self, folder: str) -> int:
        path = self.folder / folder
        return sum(file.is_file() for file in path.iterdir()) if path.exists() else 0


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = Store(MemoryEngine())
    await store.open()
    yield World(tmp_path, store)
    await store.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def web(*checks: CheckDefinition, **fields: Any) -> ServiceDefinition:
    return ServiceDefinition(name="web", checks=[*checks], **fields)


def status(local: LocalAgent, check_id: str) -> tuple[str, str]:
    row = local.checks[check_id].row
    return row.status, row.output


async def test_what_the_api_registered_is_there_after_a_restart(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL, HTTP, port=80), replace_checks=False)
        await agent.register_check(CheckDefinition(name="disk", ttl_ns=SECOND_NS))
        await agent.set_node_maintenance(enable=True, reason="why")
        await agent.refresh_check("service:web:1", "passing", "fine")
        agent.local.report("service:web:2", "passing", "")
        before = agent.local.services["web"].service
    async with world.agent() as agent:
        assert agent.local.services["web"].service == before
        assert status(agent.local, "service:web:1") == ("passing", "fine")
        # Nobody knows yet how the others are.
        assert status(agent.local, "service:web:2") == ("critical", "")
        assert status(agent.local, "disk") == ("critical", "")
        assert agent.local.checks["_node_maintenance"].row.notes == "why"
        assert isinstance(agent.local.runner, IdleRunner)
        assert list(agent.local.runner.running) == ["service:web:2"]
        await until(lambda: len(world.store.state.checks) == 4)


async def test_a_ttl_goes_on_where_it_stood(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL), replace_checks=False)
        await agent.refresh_check("service:web", "passing", "fine")
        world.clock.advance(50)
        # A refresh that says the same is in its file a little later, at a stop at the latest.
        await agent.refresh_check("service:web", "passing", "fine")
    world.clock.advance(90)
    async with world.agent() as agent:
        assert status(agent.local, "service:web") == ("passing", "fine")
        world.clock.advance(11)
        assert agent.local.expire() == ["service:web"]
        output = "TTL expired (last output before timeout follows): fine"
        assert status(agent.local, "service:web") == ("critical", output)


async def test_a_ttl_that_ran_out_meanwhile_is_critical(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL), replace_checks=False)
        await agent.refresh_check("service:web", "passing", "fine")
    world.clock.advance(101)
    async with world.agent() as agent:
        assert status(agent.local, "service:web") == ("critical", "")


async def test_what_was_deregistered_does_not_come_back(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL, TTL), replace_checks=False)
        await agent.register_check(CheckDefinition(name="disk", ttl_ns=SECOND_NS))
        await agent.refresh_check("disk", "passing", "")
        await agent.set_service_maintenance("web", enable=True, reason="")
        await agent.deregister_service("web")
        await agent.deregister_check("disk")
        await agent.deregister_service("nope")
        assert [world.names(name) for name in ("services", "checks", "checks/state")] == [0, 0, 0]
    async with world.agent() as agent:
        assert (agent.local.services, agent.local.checks) == ({}, {})


async def test_checks_that_were_replaced_do_not_come_back(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL, TTL), replace_checks=False)
        await agent.register_service(web(TTL), replace_checks=True)
        assert list(agent.local.checks) == ["service:web"]
    async with world.agent() as agent:
        assert list(agent.local.checks) == ["service:web"]


async def test_what_is_refused_is_not_kept(world: World) -> None:
    async with world.agent() as agent:
        with pytest.raises(InvalidError):
            await agent.register_service(web(CheckDefinition(notes="x")), replace_checks=False)
        with pytest.raises(InvalidError):
            await agent.register_check(CheckDefinition(name="x", ttl_ns=1, service_id="nope"))
        assert (agent.local.services, world.names("services")) == ({}, 0)


async def test_the_configuration_comes_before_what_was_kept(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(port=1), replace_checks=False)
    async with world.agent(Declared([web(port=2)], [])) as agent:
        assert agent.local.services["web"].service.port == 2
    async with world.agent() as agent:
        assert agent.local.services == {}


async def test_a_check_of_a_service_that_is_gone_is_dropped(world: World) -> None:
    async with world.agent(Declared([web()], [])) as agent:
        await agent.register_check(CheckDefinition(name="own", ttl_ns=1, service_id="web"))
    async with world.agent() as agent:
        assert agent.local.checks == {}
        assert world.names("checks") == 0


async def test_a_script_that_may_run_no_more_is_dropped(world: World) -> None:
    async with world.agent(enable_script_checks=True) as agent:
        script = CheckDefinition(name="s", args=["true"], interval_ns=1)
        await agent.register_check(script)
    async with world.agent() as agent:
        assert agent.local.checks == {}


async def test_a_reload_adds_changes_and_removes_what_files_define(world: World) -> None:
    first = Declared(
        [web(TTL), ServiceDefinition(name="goes", checks=[TTL]), ServiceDefinition(name="stays")],
        [CheckDefinition(check_id="disk", name="disk", ttl_ns=SECOND_NS)],
    )
    async with world.agent(first) as agent:
        await agent.register_service(ServiceDefinition(name="of-the-api"), replace_checks=False)
        await agent.refresh_check("service:web", "passing", "fine")
        stays = agent.local.services["stays"]
        second = Declared(
            [
                web(TTL, port=80),
                ServiceDefinition(name="stays"),
                ServiceDefinition(name="new", checks=[TTL]),
            ],
            [],
        )
        await agent.reload(second, agent.local.settings)
        assert sorted(agent.local.services) == ["new", "of-the-api", "stays", "web"]
        assert sorted(agent.local.checks) == ["service:new", "service:web"]
        assert agent.local.services["stays"] is stays
        assert status(agent.local, "service:web") == ("passing", "fine")
        rows = world.store.state.services.rows.values()
        assert {row.service.id for row in rows} == {"new", "of-the-api", "stays", "web"}
        await agent.reload(NOTHING, agent.local.settings)
        assert sorted(agent.local.services) == ["of-the-api"]


async def test_a_service_that_stays_critical_is_deregistered_for_good(world: World) -> None:
    after = CheckDefinition(ttl_ns=10**15, deregister_critical_service_after_ns=60 * SECOND_NS)
    async with world.agent() as agent:
        await agent.register_service(web(after), replace_checks=False)
        await agent.reap()
        assert "web" in agent.local.services
        world.clock.advance(61)
        await agent.reap()
        assert agent.local.services == {}
        assert world.store.state.services.rows == {}
        assert world.names("services") == 0


async def test_a_missed_ttl_reaches_the_catalog_by_itself(world: World) -> None:
    async with world.agent() as agent:
        await agent.register_service(web(TTL), replace_checks=False)
        await agent.refresh_check("service:web", "passing", "")
        (row,) = world.store.state.checks.rows.values()
        assert row.status == "passing"
        world.clock.advance(101)
        await until(
            lambda: (
                [check.status for check in world.store.state.checks.rows.values()] == ["critical"]
            )
        )

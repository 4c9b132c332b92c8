"""`fairlead.agent.checks.alias`: checks that follow others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from fairlead.agent.checks.alias import followed
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.definitions import API, ServiceDefinition
from fairlead.agent.registry import StoreRegistry
from fairlead.core.commands import CatalogDeregister, CatalogRegister
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.engines.memory import MemoryEngine
from fairlead.store import Store
from tests.agent.locals import TTL, Told, told_by, web

N2 = NodeRow("", "n2", "10.0.0.2", "dc1", None, None)


def row(status: str, service_id: str = "", output: str = "") -> CheckRow:
    return CheckRow("n1", f"{service_id}{status}", f"is {status}", status, "", output, service_id)


@pytest.mark.parametrize(
    ("checks", "exists", "expected"),
    [
        ([], True, ("passing", "No checks found.")),
        ([], False, ("critical", "Service web could not be found on node n1")),
        ([row("passing", "web")], False, ("passing", "All checks passing.")),
        ([row("critical", "other")], True, ("passing", "No checks found.")),
        (
            [row("warning", "web", "w"), row("critical", "web", "c")],
            True,
            ("critical", 'Aliased check "is critical" failing: c'),
        ),
        (
            [row("warning", "web", "w"), row("passing")],
            True,
            ("warning", 'Aliased check "is warning" failing: w'),
        ),
        ([row("critical", "", "c")], True, ("critical", 'Aliased check "is critical" failing: c')),
    ],
)
def test_what_is_followed_decides(
    checks: list[CheckRow], exists: bool, expected: tuple[str, str]
) -> None:
    assert followed(checks, "web", "n1", exists=exists) == expected


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_check_follows_a_service_of_its_agent() -> None:
    told = told_by()
    alias = CheckDefinition(alias_service="web")
    told.local.add_service(ServiceDefinition(name="proxy", check=alias), API)
    assert told.status("service:proxy")[1] == "Service web could not be found on node "
    web(told.local, TTL)
    told.local.refresh("service:web", "passing", "")
    await until(lambda: told.status("service:proxy") == ("passing", "All checks passing."))
    told.local.refresh("service:web", "warning", "slow")
    expected = ("warning", "Aliased check \"Service 'web' check\" failing: slow")
    await until(lambda: told.status("service:proxy") == expected)
    told.local.remove_service("web")
    await until(lambda: told.status("service:proxy")[0] == "critical")


async def test_checks_that_follow_each_other_come_to_rest() -> None:
    told = told_by()
    for name, other in (("a", "b"), ("b", "a")):
        alias = CheckDefinition(alias_service=other)
        told.local.add_service(ServiceDefinition(name=name, check=alias), API)
    told.clear()
    for _ in range(50):
        await asyncio.sleep(0)
    seen = len(told.checks)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(told.checks) == seen
    assert len(told.status("service:a")[1]) < 1000


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    store = Store(MemoryEngine())
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def told(store: Store) -> AsyncIterator[Told]:
    told = told_by()
    told.local.aliases.registry = StoreRegistry(store)
    yield told
    await told.local.aliases.close()


async def test_a_check_follows_a_service_of_another_node(store: Store, told: Told) -> None:
    alias = CheckDefinition(name="far", alias_node="n2", alias_service="db")
    told.local.add_check(alias, API)
    await until(lambda: told.status("far")[1] == "Service db could not be found on node n2")
    check = CheckRow("n2", "c", "of db", "passing", service_id="db")
    await store.submit(CatalogRegister(N2, [check], Service("db", "db")))
    await until(lambda: told.status("far") == ("passing", "All checks passing."))
    await store.submit(CatalogDeregister("n2"))
    await until(lambda: told.status("far")[0] == "critical")
    told.local.remove_check("far")
    await until(lambda: store.watches.count == 0)


async def test_a_check_follows_a_whole_node(store: Store, told: Told) -> None:
    told.local.add_check(CheckDefinition(name="far", alias_node="n2"), API)
    await until(lambda: told.status("far")[0] == "critical")
    await store.submit(CatalogRegister(N2))
    await until(lambda: told.status("far") == ("passing", "No checks found."))


async def test_a_check_of_its_own_node_does_not_see_itself(store: Store, told: Told) -> None:
    told.local.add_check(CheckDefinition(name="self", alias_node="n1"), API)
    own = CheckRow("n1", "self", "self", "critical")
    await store.submit(CatalogRegister(NodeRow("", "n1", "10.0.0.1", "dc1", None, None), [own]))
    await until(lambda: told.status("self") == ("passing", "No checks found."))

"""`fairlead.agent.cluster.wan.wan`: servers of two datacenters, two of one, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from fairlead.agent.cluster.addresses import JoinError
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.wan.wan import GRACE_S, Wan
from fairlead.clock import FakeClock
from fairlead.core.commands import MemberSet
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import MemberRow
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import UnavailableError
from fairlead.settings.settings import build
from fairlead.store import Store
from tests.agent.cluster.linked import node_row, until
from tests.processes import free_port


class Edge:
    """Answers every request with who answers, and who asks."""

    def __init__(self, name: str) -> None:
        self.name = name

    def limit_bytes(self, method: str, target: bytes) -> int:
        return 1024

    def ask(
        self,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        source: str,
        reply: Callable[[Reply], None],
        is_relayed: bool = False,
    ) -> None:
        reply(Reply(200, b"text/plain", b"", f"{self.name} to {source}".encode()))


class Server:
    """One server; its ticks are its own, its clock is the test's."""

    def __init__(self, name: str, number: int, datacenter: str) -> None:
        self.name = name
        self.port = free_port()
        self.clock = FakeClock()
        self.store = Store(MemoryEngine())
        raw = {
            "engine": "memory:",
            "server": True,
            "node_name": name,
            "datacenter": datacenter,
            "bind_addr": "127.0.0.1",
            "ports": {"serf_wan": self.port},
        }
        node = node_row(name, number, datacenter)
        self.wan = Wan(build(raw), node, self.store, self.clock, b"")
        self.wan.links.serve(Edge(name))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def statuses(self) -> dict[str, int]:
        return {row.name: row.status for row in self.wan.members()}

    async def knows_beside(self, other: Server, status: int = ALIVE) -> None:
        """As the membership of its datacenter would note it."""
        tags = {"role": "consul", "wan_join_port": str(other.port)}
        member = MemberRow(other.name, "127.0.0.1", 8301, tags, status)
        await self.store.submit(MemberSet(member))

    async def ask(self, datacenter: str) -> str:
        reply = await self.wan.path(datacenter).request("GET", b"/v1/kv/a")
        return reply.body.decode()


class Servers:
    def __init__(self) -> None:
        self.started: list[Server] = []

    async def start(self, name: str, datacenter: str) -> Server:
        server = Server(name, len(self.started) + 1, datacenter)
        await server.store.open()
        await server.wan.start()
        self.started.append(server)
        return server

    async def stop(self, server: Server) -> None:
        self.started.remove(server)
        await server.wan.stop()
        await server.store.close()


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Servers]:
    servers = Servers()
    try:
        yield servers
    finally:
        for server in list(servers.started):
            await servers.stop(server)
        await asyncio.sleep(0.01)


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    async with running() as servers:
        yield servers


async def two_and_one(servers: Servers) -> tuple[Server, Server, Server]:
    """Two servers of dc2, one of dc1 that joined the first of them."""
    a, b = await servers.start("a", "dc2"), await servers.start("b", "dc2")
    await a.knows_beside(b)
    await b.knows_beside(a)
    one = await servers.start("one", "dc1")
    await one.wan.join(a.address)
    return one, a, b


async def test_who_joins_one_server_of_a_datacenter_knows_all_of_it(servers: Servers) -> None:
    one, a, _ = await two_and_one(servers)
    await until(lambda: one.statuses() == {"a.dc2": ALIVE, "b.dc2": ALIVE, "one.dc1": ALIVE})
    assert await one.ask("dc2") == "a to one"
    await until(lambda: a.wan.datacenters() == ["dc2", "dc1"])
    assert await a.ask("dc1") == "one to a"


async def test_when_one_server_goes_another_of_its_datacenter_is_asked(servers: Servers) -> None:
    one, a, b = await two_and_one(servers)
    await until(lambda: "b.dc2" in one.statuses())
    await b.knows_beside(a, FAILED)
    await servers.stop(a)
    # It was asked while there was no link, and waits for the next one.
    assert await one.ask("dc2") == "b to one"
    await until(lambda: one.statuses() == {"a.dc2": FAILED, "b.dc2": ALIVE, "one.dc1": ALIVE})


async def test_they_have_failed_when_none_can_be_reached_for_a_while(servers: Servers) -> None:
    one, a, b = await two_and_one(servers)
    await until(lambda: "b.dc2" in one.statuses())
    await servers.stop(a)
    await servers.stop(b)
    await until(lambda: not one.wan.path("dc2").is_up)
    await one.wan.tick()
    assert one.statuses()["a.dc2"] == ALIVE
    one.clock.advance(GRACE_S + 0.1)
    await one.wan.tick()
    assert one.statuses() == {"a.dc2": FAILED, "b.dc2": FAILED, "one.dc1": ALIVE}


async def test_a_server_that_does_not_lead_judges_nobody(servers: Servers) -> None:
    one, a, b = await two_and_one(servers)
    one.wan.leads = lambda: False
    await until(lambda: "b.dc2" in one.statuses())
    await servers.stop(a)
    await servers.stop(b)
    await until(lambda: not one.wan.path("dc2").is_up)
    one.clock.advance(GRACE_S + 0.1)
    await one.wan.tick()
    assert one.statuses()["a.dc2"] == ALIVE


async def test_those_that_failed_or_left_are_forgotten_in_time(servers: Servers) -> None:
    one, two = await servers.start("one", "dc1"), await servers.start("two", "dc2")
    await one.wan.join(two.address)
    await servers.stop(two)
    assert await one.wan.force_leave("two.dc2", prune=False)
    await one.wan.tick()
    assert one.statuses()["two.dc2"] == LEFT
    assert one.wan.datacenters() == ["dc1"]
    with pytest.raises(UnavailableError, match="No path to datacenter"):
        one.wan.path("dc2")
    one.clock.advance(24 * 3600 + 1)
    await one.wan.tick()
    assert one.statuses() == {"one.dc1": ALIVE}


async def test_a_datacenter_of_the_same_name_is_refused_oneself_is_well(servers: Servers) -> None:
    one, twin = await servers.start("one", "dc1"), await servers.start("twin", "dc1")
    await one.wan.join(one.address)
    with pytest.raises(JoinError, match="each needs a name of its own"):
        await one.wan.join(twin.address)
    await one.knows_beside(twin)
    await one.wan.join(twin.address)

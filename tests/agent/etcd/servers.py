"""Servers with real etcds on 127.0.0.1, .2 and so on, all on the same ports, in one event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.agent.cluster.links import Links
from fairlead.agent.etcd.command import Limits
from fairlead.agent.etcd.supervisor import Supervisor, supervised
from fairlead.agent.node import own_node
from fairlead.clock import SystemClock
from fairlead.engines.memory import MemoryEngine
from fairlead.metrics import Metrics
from fairlead.settings.settings import Settings, build
from fairlead.store import Store
from tests.etcd import etcd_binary
from tests.processes import free_port

SECRET = "MDEyMzQ1Njc4OTAxMjM0NQ=="
OTHER_SECRET = "YWJjZGVmZ2hpamFiY2RlZg=="


class Server:
    """One of them: its supervisor, and then the links that others find it by."""

    supervisor: Supervisor

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self.settings = settings
        self.limits = limits
        self.links: Links | None = None
        self.faults: list[str] = []

    @property
    def etcd_dir(self) -> Path:
        return Path(self.settings.data_dir) / "etcd"

    async def start(self) -> Server:
        clock = SystemClock()
        self.supervisor = await supervised(self.settings, clock, self.limits)
        self.supervisor.fail = self.faults.append
        store = Store(MemoryEngine(), Metrics("", ""))
        await store.open()
        node = own_node(self.settings, clock.new_id())
        self.links = Links(store, clock, node, b"", 0)
        self.links.admit = self.supervisor.admission.admit
        settings = self.settings
        ports = {"ports.server": settings.ports_server, "ports.serf_lan": settings.ports_serf_lan}
        await self.links.listen(settings.bind_addr, ports)
        return self

    async def stop(self) -> None:
        if self.links is not None:
            await self.links.stop()
            self.links = None
            await self.supervisor.stop()

    async def members(self) -> dict[str, bool]:
        """Who votes, by node."""
        return {member.node: member.is_voter for member in await self.supervisor.members.all()}


class Servers:
    """What a test makes of them; `stop` ends those that run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"server": free_port(), "serf_lan": free_port(), "etcd": free_port()}
        self.all: list[Server] = []

    def raw(self, number: int) -> dict[str, Any]:
        """The configuration of one, as files and flags amount to."""
        return {
            "server": True,
            "bootstrap_expect": 3,
            "node_name": f"s{number}",
            "data_dir": str(self.folder / f"s{number}"),
            "bind_addr": f"127.0.0.{number}",
            "retry_join": ["127.0.0.1", "127.0.0.2", "127.0.0.3"],
            "encrypt": SECRET,
            "etcd_binary": etcd_binary(),
            "ports": self.ports,
        }

    def settings(self, number: int, **more: Any) -> Settings:
        return build(self.raw(number) | more)

    def server(self, number: int, limits: Limits | None = None, **more: Any) -> Server:
        server = Server(self.settings(number, **more), limits)
        self.all.append(server)
        return server

    async def formed(self, limits: Limits | None = None, **more: Any) -> list[Server]:
        """Three that run."""
        three = [self.server(number, limits, **more) for number in (1, 2, 3)]
        await asyncio.gather(*(server.start() for server in three))
        return three

    async def stop(self) -> None:
        await asyncio.gather(*(server.stop() for server in self.all))


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[Servers]:
    made = Servers(tmp_path)
    yield made
    await made.stop()


async def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Look again and again."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)

"""Many client agents in one process, each with a link, services and anti-entropy of its own.

They are what a client agent is, but for its HTTP edge, and their checks are not
run: those of all agents would be this machine's, and each has its own in truth.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fairlead.agent.antientropy import AntiEntropy
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.cluster.identity import identity
from fairlead.agent.cluster.link import Link
from fairlead.agent.cluster.link_registry import LinkRegistry
from fairlead.agent.definitions import CONFIGURATION, ServiceDefinition
from fairlead.agent.local import LocalAgent
from fairlead.agent.tasks import Tasks
from fairlead.clock import SystemClock
from fairlead.core.rows import NodeRow
from fairlead.durations import SECOND_NS
from fairlead.settings.settings import build

__all__ = ["Member", "all_of", "crowd", "service_name"]

_INTERVAL_NS = 10 * SECOND_NS


def service_name(number: int) -> str:
    """The name of one of the services."""
    return f"service-{number:05d}"


class Member:
    """One agent: its services are its own to know, as in a file of its configuration."""

    def __init__(self, number: int, server: str, services: list[int]) -> None:
        self.services = services
        self.node = _node(number)
        self._server = server
        # Nothing of it is kept: the folder is never made.
        named = {"bind_addr": "127.0.0.1", "node_name": self.node.node, "data_dir": "unused"}
        self._settings = build(named)
        self._clock = SystemClock()
        self._begin()

    def _begin(self) -> None:
        """A process that has just started."""
        self.link = Link(identity(self._settings, self.node), self._clock)
        self.link.joined = [self._server]
        self._local = LocalAgent(self.node.node, self._settings, self._clock)
        self._sync = AntiEntropy(
            self._local, LinkRegistry(self.link), self.node, self._clock, lambda: self.link.nodes
        )
        self._tasks = Tasks()

    async def start(self) -> None:
        """Return once it is linked and the catalog says what it says."""
        self._tasks.start("link", self.link.run)
        await self.link.wait_up()
        while not await self._sync.sync():
            await self.link.wait_up()
        self._tasks.start("pushes", self._sync.run_pushes)
        self._tasks.start("repairs", self._sync.run_repairs)

    async def register(self) -> None:
        """Take up its services; return once they are in the catalog."""
        for number in self.services:
            self._local.add_service(_definition(number), CONFIGURATION)
        await self._sync.flush()

    async def restart(self) -> None:
        """As SIGTERM and a start: it leaves, and is back with all its services."""
        await self.link.leave()
        await self.kill()
        await self.come_back()

    async def come_back(self) -> None:
        """Start anew, its services declared from the beginning."""
        self._begin()
        for number in self.services:
            self._local.add_service(_definition(number), CONFIGURATION)
        await self.start()

    async def fall_silent(self) -> None:
        """As a machine without power: nothing is heard of it, its connection stays."""
        await self._tasks.stop()
        self._sync.close()

    async def kill(self) -> None:
        """As kill -9: its connection is closed without a word."""
        await self.fall_silent()
        self.link.stop()
        await asyncio.sleep(0)


def crowd(members: int, services: int, instances: int, server: str) -> list[Member]:
    """The agents, every service running on some that follow each other."""
    shares: list[list[int]] = [[] for _ in range(members)]
    for number in range(services * instances):
        shares[number % members].append(number // instances)
    return [Member(number, server, share) for number, share in enumerate(shares)]


async def all_of(
    members: Sequence[Member],
    what: Callable[[Member], Coroutine[Any, Any, None]],
    at_once: int = 0,
) -> list[float]:
    """Have each do it, all or some at once; the seconds each took, the shortest first."""
    loop = asyncio.get_running_loop()
    turns = asyncio.Semaphore(at_once or len(members))

    async def one(member: Member) -> float:
        async with turns:
            begun = loop.time()
            await what(member)
            return loop.time() - begun

    return sorted(await asyncio.gather(*map(one, members)))


def _node(number: int) -> NodeRow:
    address = f"10.1.{number // 250}.{number % 250 + 1}"
    return NodeRow(
        id=f"00000000-0000-4000-9000-{number:012d}",
        node=f"agent-{number:04d}",
        address=address,
        datacenter="dc1",
        tagged_addresses=dict.fromkeys(("lan", "lan_ipv4", "wan", "wan_ipv4"), address),
        meta={"consul-network-segment": ""},
    )


def _definition(number: int) -> ServiceDefinition:
    name = service_name(number)
    check = CheckDefinition(
        http="http://127.0.0.1:8080/health", interval_ns=_INTERVAL_NS, status="passing"
    )
    tags = ["v1", f"zone-{number % 3}"]
    return ServiceDefinition(name=name, tags=tags, port=8000 + number % 1000, check=check)

"""A server's links on a real socket, and agents linked to it, in the test's own loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.identity import Identity
from fairlead.agent.cluster.link import Link
from fairlead.agent.cluster.links import Links
from fairlead.clock import FakeClock
from fairlead.core.rows import NodeRow
from fairlead.engines.memory import MemoryEngine
from fairlead.store import Store
from tests.processes import free_port

__all__ = ["Hub", "hub_of", "node_row", "until"]

_PATIENCE_S = 10.0
HOUR_NS = 3600 * 10**9


def node_row(name: str, number: int = 1, datacenter: str = "dc1") -> NodeRow:
    node_id = f"00000000-0000-4000-9000-{number:012d}"
    return NodeRow(node_id, name, f"10.0.0.{number % 250}", datacenter, None, None)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


@dataclass
class Asked:
    """What the server's edge was asked; the test answers."""

    method: str
    target: bytes
    headers: dict[bytes, bytes]
    body: bytes
    source: str
    reply: Callable[[Reply], None]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Questions:
    """An edge that keeps its questions."""

    asked: list[Asked] = field(default_factory=list)
    limit: int = 16 * 1024 * 1024

    def limit_bytes(self, method: str, target: bytes) -> int:
        return self.limit

    def ask(
        self,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        source: str,
        reply: Callable[[Reply], None],
        is_relayed: bool = False,
    ) -> Callable[[], None]:
        self.asked.append(Asked(method, target, headers, body, source, reply))
        return self.asked[-1].cancel


class Hub:
    """The server. Its clock and its ticks are the test's."""

    def __init__(self, store: Store, port: int, key: bytes) -> None:
        self.store = store
        self.port = port
        self.clock = FakeClock()
        self.edge = Questions()
        self.key = key
        self.agents: list[Link] = []
        self._running: list[asyncio.Task[None]] = []
        self.links = self._new_links()

    def _new_links(self) -> Links:
        links = Links(self.store, self.clock, node_row("s1", 99), self.key, 72 * HOUR_NS)
        links.edge = self.edge
        links.own_address = [f"127.0.0.1:{self.port}"]
        links.membership.load()
        return links

    async def listen(self) -> None:
        await self.links.listen("127.0.0.1", {"ports.server": self.port})

    async def restart(self) -> None:
        await self.links.stop()
        self.links = self._new_links()
        await self.listen()

    def agent(
        self, name: str, number: int = 1, key: bytes | None = None, datacenter: str = "dc1"
    ) -> Link:
        """Not linked yet."""
        identity = Identity(node_row(name, number, datacenter), 8301, {"role": "node"})
        link = Link(identity, FakeClock(), self.key if key is None else key)
        self.agents.append(link)
        return link

    async def linked(self, name: str, number: int = 1) -> Link:
        link = self.agent(name, number)
        await link.join(f"127.0.0.1:{self.port}")
        return link

    def keep(self, link: Link) -> None:
        """Let it look for its server by itself."""
        self._running.append(asyncio.create_task(link.run()))

    def status(self, name: str) -> int:
        row = self.store.state.members.rows.get(name)
        return row.status if row is not None else 0

    def health(self, name: str) -> str:
        check = self.store.state.checks.rows.get(f"{name}\tserfhealth")
        return check.status if check is not None else ""

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        for link in self.agents:
            link.stop()
        await self.links.stop()
        await self.store.close()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def hub_of(key: bytes = b"") -> AsyncIterator[Hub]:
    store = Store(MemoryEngine())
    await store.open()
    hub = Hub(store, free_port(), key)
    await hub.listen()
    try:
        yield hub
    finally:
        await hub.stop()

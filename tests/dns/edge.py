"""An agent and its DNS server in this loop, and a client that sees every byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import dns.message

from fairlead.agent.agent import Agent
from fairlead.clock import FakeClock
from fairlead.core.commands import Command
from fairlead.dns.results import QueryFinder, no_query
from fairlead.dns.server import DnsServer
from fairlead.engines import open_engine
from fairlead.settings import sources
from fairlead.settings.schema import SCHEMA
from fairlead.settings.settings import DEV_DEFAULTS, build
from fairlead.settings.sources import merge
from tests.processes import free_port

__all__ = ["Edge", "edge_of"]

_PATIENCE_S = 5.0


class _Client(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.received.put_nowait(data)


class Edge:
    """The server and its agent."""

    def __init__(self, agent: Agent, server: DnsServer, clock: FakeClock) -> None:
        self.agent = agent
        self.server = server
        self.clock = clock
        self.port = agent.settings.ports_dns

    async def write(self, *commands: Command) -> None:
        for command in commands:
            await self.agent.store.submit(command)

    async def send(self, *messages: bytes, host: str = "127.0.0.1") -> list[bytes]:
        """Send datagrams; the answers to them and to one more question, which is left out."""
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(
            _Client, remote_addr=(host, self.port)
        )
        last = dns.message.make_query("last.node.consul", "MX", id=0xFFFF).to_wire()
        found: list[bytes] = []
        try:
            for message in (*messages, last):
                transport.sendto(message)
            while True:
                data = await asyncio.wait_for(client.received.get(), _PATIENCE_S)
                if data[:2] == b"\xff\xff":
                    return found
                found.append(data)
        finally:
            transport.close()

    async def ask(
        self, name: str, type_: str = "A", *, size: int = -1, host: str = "127.0.0.1"
    ) -> dns.message.Message:
        """One question over UDP."""
        data = self.question(name, type_, size=size)
        loop = asyncio.get_running_loop()
        transport, client = await loop.create_datagram_endpoint(
            _Client, remote_addr=(host, self.port)
        )
        try:
            transport.sendto(data)
            answer = await asyncio.wait_for(client.received.get(), _PATIENCE_S)
        finally:
            transport.close()
        assert answer[:2] == data[:2]
        return dns.message.from_wire(answer, one_rr_per_rrset=True)

    @staticmethod
    def question(name: str, type_: str = "A", *, size: int = -1) -> bytes:
        message = dns.message.make_query(name, type_)
        if size >= 0:
            message.use_edns(0, 0, size)
        return message.to_wire()

    async def ask_over_tcp(self, *questions: bytes) -> list[dns.message.Message]:
        """Questions sent at once over one connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(len(data).to_bytes(2, "big") + data for data in questions))
            found = []
            for _ in questions:
                length = int.from_bytes(await reader.readexactly(2), "big")
                data = await asyncio.wait_for(reader.readexactly(length), _PATIENCE_S)
                found.append(dns.message.from_wire(data, one_rr_per_rrset=True))
            return found
        finally:
            writer.close()
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def edge_of(find_query: QueryFinder = no_query, **raw: Any) -> AsyncIterator[Edge]:
    """An edge with these configuration keys over those of `-dev`."""
    defaults = {**DEV_DEFAULTS, "node_name": "n1", "ports": {"dns": free_udp_port()}}
    settings = build(merge(defaults, sources.check(raw, SCHEMA, "", [])))
    clock = FakeClock()
    agent = Agent(settings, open_engine(settings.engine), clock)
    await agent.start()
    server = DnsServer(agent, find_query)
    try:
        await server.start()
        async with asyncio.timeout(_PATIENCE_S):
            while not agent.store.state.nodes.rows:
                await asyncio.sleep(0.001)
        yield Edge(agent, server, clock)
    finally:
        await server.stop()
        await agent.stop()


def free_udp_port() -> int:
    """A port that is free for connections and datagrams alike."""
    while True:
        port = free_port()
        with socket.socket(type=socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port

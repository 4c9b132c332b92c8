"""An agent and its HTTP server in this loop, and a client that sees every byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fairlead.agent.agent import Agent
from fairlead.clock import FakeClock
from fairlead.core.commands import KVSet
from fairlead.engines import open_engine
from fairlead.http.server import HttpServer
from fairlead.settings.settings import DEV_DEFAULTS, build
from fairlead.settings.sources import merge
from tests.processes import free_port

__all__ = ["Client", "Edge", "Reply", "edge_of"]

_PATIENCE_S = 30.0


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def index(self) -> int:
        return int(self.headers["X-Consul-Index"])

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """One connection; `send` and `receive` are apart, so that tests can be rude."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def read_until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`."""
        return await asyncio.wait_for(self._reader.readuntil(mark), _PATIENCE_S)

    async def receive(self, *, bodiless: bool = False) -> Reply:
        """The next answer; that to a HEAD is `bodiless` whatever its length says."""
        return await asyncio.wait_for(self._receive(bodiless), _PATIENCE_S)

    async def _receive(self, bodiless: bool) -> Reply:
        status = int((await self._reader.readline()).split()[1])
        headers = {}
        while (line := (await self._reader.readline()).strip()) != b"":
            name, _, value = line.decode("latin-1").partition(": ")
            headers[name] = value
        if headers.get("Transfer-Encoding") == "chunked":
            return Reply(status, headers, await self._chunks())
        if status == 100 or bodiless:
            return Reply(status, headers, b"")
        length = headers.get("Content-Length")
        read = self._reader.readexactly(int(length)) if length else self._reader.read()
        return Reply(status, headers, await read)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self._reader.readline(), 16):
            body += await self._reader.readexactly(size)
            await self._reader.readline()
        await self._reader.readline()
        return body

    async def ask(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> Reply:
        """Send one request and receive its answer."""
        self.send(request(method, target, body, **headers))
        return await self.receive()

    async def is_closed(self) -> bool:
        """Whether the server ended the connection without another byte."""
        try:
            return await asyncio.wait_for(self._reader.read(1), _PATIENCE_S) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._writer.close()

    async def wait_closed(self) -> None:
        """Close, and see the end of it; a connection that broke has ended."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await asyncio.wait_for(self._writer.wait_closed(), _PATIENCE_S)


def request(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    """A request as bytes; a header `Accept_Encoding` is sent as `Accept-Encoding`."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


class Edge:
    """The server, its agent, and clients of it."""

    def __init__(self, agent: Agent, server: HttpServer, clock: FakeClock) -> None:
        self.agent = agent
        self.server = server
        self.clock = clock
        self._clients: list[Client] = []

    async def client(self) -> Client:
        streams = await asyncio.open_connection("127.0.0.1", self.agent.settings.ports_http)
        self._clients.append(Client(*streams))
        return self._clients[-1]

    async def ask(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> Reply:
        """One request on a connection of its own."""
        return await (await self.client()).ask(method, target, body, **headers)

    async def set(self, key: str, value: bytes = b"v") -> None:
        await self.agent.store.submit(KVSet(key, value))

    async def parked(self, count: int) -> None:
        """Wait until so many blocking reads wait (the agent's own loops do too)."""
        await self.until(lambda: self.blocking == count)

    @property
    def blocking(self) -> int:
        return self.agent.store.watches.readers

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        for client in self._clients:
            await client.wait_closed()


@contextlib.asynccontextmanager
async def edge_of(**raw: Any) -> AsyncIterator[Edge]:
    """An edge with these configuration keys over those of `-dev`."""
    settings = build(
        merge({**DEV_DEFAULTS, "node_name": "n1", "ports": {"http": free_port()}}, raw)
    )
    clock = FakeClock()
    agent = Agent(settings, open_engine(settings.engine), clock)
    await agent.start()
    server = HttpServer(agent)
    edge = Edge(agent, server, clock)
    try:
        await server.start()
        await edge.until(lambda: agent.store.state.nodes.rows)
        yield edge
    finally:
        await edge.close()
        await server.stop()
        await agent.stop()

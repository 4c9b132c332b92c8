"""The sockets of the DNS edge: datagrams and connections on every address of the settings."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any, cast

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.dns.answering import Answerer, Later, failure
from fairlead.dns.linked import LinkedAnswerer
from fairlead.dns.results import QueryFinder, no_query
from fairlead.errors import FairleadError, SettingsError

__all__ = ["DnsServer"]

log = logging.getLogger("agent.dns")

_BACKLOG = 1024
_HEADER_BYTES = 12
# Connections at once, and how long one may be without a question.
_MOST_CONNECTIONS = 2048
_IDLE_S = 10.0
_SWEEP_S = 2.0
_BUFFER_BYTES = 4 << 20
# What the system may keep of questions until they are read; it gives less if it must.
_RECEIVE_BYTES = 4 << 20


class DnsServer:
    """Serves DNS until it is stopped."""

    def __init__(self, agent: Agent, find_query: QueryFinder = no_query) -> None:
        self._agent = agent
        self._answerer: Answerer | LinkedAnswerer
        if agent.link is None:
            self._answerer = Answerer(agent, find_query)
            if isinstance(agent.cluster, ServerCluster) and agent.cluster.leadership is not None:
                self._answerer.leader = LinkedAnswerer(agent.cluster.leadership.link)
        else:
            self._answerer = LinkedAnswerer(agent.link)
        self.listening: list[str] = []
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: an address cannot be listened on.
        """
        settings = self._agent.settings
        if settings.ports_dns <= 0:
            return
        for address in settings.dns_addresses:
            await self._listen(address, settings.ports_dns)
        self._sweeper = asyncio.create_task(self._sweep(), name="dns-sweeper")

    async def stop(self) -> None:
        """Close every socket; what the recursors were asked for is dropped."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def reload(self) -> None:
        """Take over the settings that may change while it runs."""
        self._answerer.configure()

    async def _listen(self, address: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: _Connection(self), address, port, backlog=_BACKLOG
            )
            self._servers.append(server)
            for family, place in _places(address, port):
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), sock=_bound(family, place)
                )
                self._transports.append(transport)
        except OSError as error:
            text = os.strerror(error.errno) if error.errno else str(error)
            raise SettingsError(
                f"cannot listen on {address}:{port}: {text[:1].lower()}{text[1:]}",
                hint="is another DNS server running? Choose another port with -dns-port",
            ) from error
        self.listening.append(f"dns://{address}:{port}")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_S)
            deadline = asyncio.get_running_loop().time() - _IDLE_S
            for connection in list(self._connections):
                if connection.last_s < deadline:
                    connection.close()

    # ---------------------------------------------------------------- called by the sockets

    def answer(self, data: bytes, is_tcp: bool, source: str) -> bytes | Later | None:
        """The answer to one message. Whatever goes wrong is one answer that fails."""
        try:
            return self._answerer.answer(data, is_tcp=is_tcp, source=source)
        except FairleadError as error:
            log.debug("a question was refused: error=%s", error)
            return failure(data)
        except Exception:
            log.exception("a question could not be answered: question=%s", data.hex())
            return failure(data) if len(data) >= _HEADER_BYTES else None

    def send_later(self, data: bytes, later: Later, send: Any) -> None:
        """Send what `later` gives, when it gives it."""
        task = asyncio.create_task(self._finish(data, later, send), name="dns-recursion")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, data: bytes, later: Later, send: Any) -> None:
        try:
            answer = await later
        except Exception:
            log.exception("a question could not be answered: question=%s", data.hex())
            answer = failure(data)
        if answer is not None:
            send(answer)

    def admit(self, connection: _Connection) -> bool:
        """Whether one more connection is served."""
        if len(self._connections) >= _MOST_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def gone(self, connection: _Connection) -> None:
        self._connections.discard(connection)


def _places(address: str, port: int) -> list[tuple[int, Any]]:
    """Families and socket addresses of an address; `localhost` may have two."""
    found = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)
    return list(dict.fromkeys((family, place) for family, _, _, _, place in found))


def _bound(family: int, place: Any) -> socket.socket:
    """A socket for datagrams, with room for those that come at once."""
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        bound.setblocking(False)
        bound.bind(place)
    except OSError:
        bound.close()
        raise
    return bound


class _Datagrams(asyncio.DatagramProtocol):
    """Questions as datagrams."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._answer = server.answer
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._answer(data, False, addr[0])
        if isinstance(answer, bytes):
            self._transport.sendto(answer, addr)
        elif answer is not None:
            self._server.send_later(data, answer, lambda found: self._send(found, addr))

    def _send(self, answer: bytes, addr: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(answer, addr)

    def error_received(self, exc: Exception) -> None:
        """A client that is gone; nothing to do about it."""


class _Connection(asyncio.Protocol):
    """Questions one after the other on a connection, each after its length (RFC 7766)."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._source = ""
        self.last_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = stream = cast(asyncio.Transport, transport)
        self.last_s = asyncio.get_running_loop().time()
        peer = stream.get_extra_info("peername")
        self._source = str(peer[0]) if peer else ""
        if not self._server.admit(self):
            stream.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.gone(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        begin = 0
        while len(buffer) - begin >= 2:
            length = buffer[begin] << 8 | buffer[begin + 1]
            end = begin + 2 + length
            if len(buffer) < end:
                break
            self._ask(bytes(buffer[begin + 2 : end]))
            begin = end
        del buffer[:begin]

    def _ask(self, question: bytes) -> None:
        # Only whole questions keep a connection open.
        self.last_s = asyncio.get_running_loop().time()
        answer = self._server.answer(question, True, self._source)
        if isinstance(answer, bytes):
            self._send(answer)
        elif answer is not None:
            self._server.send_later(question, answer, self._send)

    def _send(self, answer: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > _BUFFER_BYTES:
            # It asks and does not listen.
            transport.abort()
            return
        transport.write(len(answer).to_bytes(2, "big") + answer)

    def close(self) -> None:
        """End the connection; an answer being sent still goes out."""
        if self._transport is not None:
            self._transport.close()

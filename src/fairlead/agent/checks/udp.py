"""UDP: a datagram is sent (the check's body, else an empty one); only a refusal is critical.

Most services do not answer a datagram they do not understand, so silence is
passing, as in Consul: what can be known is that nobody listens.
"""

from __future__ import annotations

import asyncio
import socket

from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import (
    DialError,
    connect_words,
    join_host_port,
    lookup,
    split_host_port,
)

__all__ = ["Datagrams", "make"]


class Datagrams(asyncio.DatagramProtocol):
    """The first datagram that comes back, or the error that did."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.first.done():
            self.first.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.first.cancel()


class _UDP:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._target = check.udp
        self._message = check.body.encode("utf-8", "replace")
        self._timeout_s = timeout_s(check.timeout_ns)
        self._resolver = means.resolver

    async def run(self) -> Outcome:
        shown = self._target
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        try:
            endpoint = split_host_port(self._target, "udp")
            address = (await lookup(endpoint.host, self._resolver, "udp", deadline))[0]
            shown = join_host_port(address, endpoint.port)
            sock = _connected(address, endpoint.port)
            transport, datagrams = await loop.create_datagram_endpoint(Datagrams, sock=sock)
            try:
                # Not through the transport: asyncio's sends no empty datagram.
                sock.send(self._message)
                async with asyncio.timeout_at(deadline):
                    await datagrams.first
            finally:
                transport.abort()
        except TimeoutError:
            pass
        except DialError as error:
            return failing(str(error))
        except OSError as error:
            return failing(f"read udp {shown}: read: {connect_words(error)}")
        return passing(f"UDP connect {self._target}: Success")


def _connected(address: str, port: int) -> socket.socket:
    """A socket that takes datagrams, and refusals, from there only."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def make(check: CheckDefinition, means: Means) -> Probe:
    return _UDP(check, means)

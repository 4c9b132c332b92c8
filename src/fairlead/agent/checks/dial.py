"""Connections to what is checked, and Go's words for those that cannot be had.

>>> split_host_port("[::1]:80")
Endpoint(host='::1', port=80)
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import uvloop

from fairlead.agent.checks.resolver import Resolver, is_address, name_server
from fairlead.agent.checks.tls import tls_words

__all__ = [
    "DialError",
    "Endpoint",
    "HandshakeError",
    "Secured",
    "connect_words",
    "dial",
    "join_host_port",
    "lookup",
    "split_host_port",
]

_MAX_PORT = 65535
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class DialError(Exception):
    """No connection; its text is Go's. `timed_out` when nobody answered in time."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


class HandshakeError(Exception):
    """A connection, but no TLS on it; its text is Go's. `timed_out` as above."""

    def __init__(self, text: str, *, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out


class Secured(NamedTuple):
    """With TLS: how certificates are judged, and whose name must be in it."""

    context: ssl.SSLContext
    server_name: str


class Endpoint(NamedTuple):
    """Where to connect to."""

    host: str
    port: int


def split_host_port(text: str, network: str = "tcp") -> Endpoint:
    """Host and port of an address, the port by number or by name.

    Raises:
        DialError: it is none, in the words of Go's net.Dial.
    """

    def fault(why: str) -> DialError:
        return DialError(f"dial {network}: address {text}: {why}")

    host, colon, port = text.rpartition(":")
    if text.startswith("["):
        end = text.find("]")
        if end < 0:
            raise fault("missing ']' in address")
        if end == len(text) - 1:
            raise fault("missing port in address")
        host, colon, port = text[1:end], text[end + 1], text[end + 2 :]
        if colon != ":":
            raise fault("missing port in address")
    if not colon:
        raise fault("missing port in address")
    if ":" in (port if text.startswith("[") else host):
        raise fault("too many colons in address")
    return Endpoint(host, _port(port, network))


def _port(text: str, network: str) -> int:
    if text.isascii() and text.isdigit():
        if int(text) > _MAX_PORT:
            raise DialError(f"dial {network}: address {text}: invalid port")
        return int(text)
    try:
        return socket.getservbyname(text, network) if text else 0
    except (OSError, ValueError) as error:
        raise DialError(f"dial {network}: address {network}/{text}: unknown port") from error


def join_host_port(host: str, port: int) -> str:
    """As Go prints it.

    >>> join_host_port("::1", 80)
    '[::1]:80'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def dial(
    factory: Callable[[], ProtocolT],
    endpoint: Endpoint,
    resolver: Resolver,
    deadline: float,
    tls: Secured | None = None,
) -> tuple[asyncio.Transport, ProtocolT]:
    """Connect to the first address that takes us; `deadline` is by the loop's clock.

    Raises:
        DialError: none does; the words are those of the first.
        HandshakeError: one does, but speaks no TLS, or is not who it should be.
    """
    loop = asyncio.get_running_loop()
    addresses = await lookup(endpoint.host, resolver, "tcp", deadline)
    first: DialError | None = None
    for position, address in enumerate(addresses):
        # An address nobody answers at must leave time for the others.
        now = loop.time()
        until = now + (deadline - now) / (len(addresses) - position)
        shown = join_host_port(address if endpoint.host else "", endpoint.port)
        try:
            async with asyncio.timeout_at(until):
                if tls is None:
                    return await loop.create_connection(factory, address, endpoint.port)
                sock = await _connected(address, endpoint.port)
            return await _secured(factory, sock, tls, deadline)
        except TimeoutError:
            error = DialError(f"dial tcp {shown}: i/o timeout", timed_out=True)
        except OSError as raised:
            error = DialError(f"dial tcp {shown}: connect: {connect_words(raised)}")
        first = first or error
    assert first is not None
    raise first


async def lookup(host: str, resolver: Resolver, network: str, deadline: float) -> list[str]:
    """The addresses of a host, at least one; no host is this one.

    Raises:
        DialError: there are none.
    """
    if is_address(host):
        return [host]
    try:
        async with asyncio.timeout_at(deadline):
            return list(dict.fromkeys(await resolver.addresses(host or "localhost")))
    except TimeoutError as error:
        text = f"dial {network}: lookup {host}: i/o timeout"
        raise DialError(text, timed_out=True) from error
    except (OSError, UnicodeError) as error:
        again = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        why = "server misbehaving" if again else "no such host"
        where = f"{host} on {join_host_port(name_server(), 53)}"
        raise DialError(f"dial {network}: lookup {where}: {why}") from error


async def _connected(address: str, port: int) -> socket.socket:
    """A connection nobody reads yet: what the peer says first is for the TLS on it."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _secured(
    factory: Callable[[], ProtocolT], sock: socket.socket, tls: Secured, deadline: float
) -> tuple[asyncio.Transport, ProtocolT]:
    """The handshake; the socket is closed when it fails.

    Raises:
        HandshakeError: it did.
    """
    name = tls.server_name or "localhost"
    loop = asyncio.get_running_loop()
    secured = False
    try:
        async with asyncio.timeout_at(deadline):
            transport, protocol = await loop.create_connection(
                factory, sock=sock, ssl=tls.context, server_hostname=name
            )
            secured = True
            return transport, protocol
    except TimeoutError as error:
        raise HandshakeError("context deadline exceeded", timed_out=True) from error
    except (OSError, ValueError) as error:
        raise HandshakeError(tls_words(error, name)) from error
    finally:
        if not secured and isinstance(loop, uvloop.Loop):
            # libuv closes the descriptor, and uvloop forgets to tell the socket when the peer
            # hangs up at once: it must not close what has that number by then.
            sock.detach()


def connect_words(error: OSError) -> str:
    """Go's words for what a system call said.

    >>> connect_words(ConnectionRefusedError(111, "Connect call failed"))
    'connection refused'
    """
    return os.strerror(error.errno).lower() if error.errno else str(error).lower()

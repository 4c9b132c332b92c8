"""DNS: passing when a name has an answer of the type that is asked for.

The target is `name`, or `server/name`, or `server/name/TYPE`; the server is an
address with or without a port, and the system's when it is missing; the type is
A unless it is given. Consul has no such kind.

>>> _parse("example.com"), _parse("10.0.0.2:8600/web.service.consul/srv")
(_Target(server='', name='example.com', kind='A'), \
_Target(server='10.0.0.2:8600', name='web.service.consul', kind='SRV'))
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import NamedTuple

from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import (
    DialError,
    Endpoint,
    connect_words,
    dial,
    join_host_port,
    lookup,
    split_host_port,
)
from fairlead.agent.checks.resolver import is_address, name_server
from fairlead.agent.checks.udp import Datagrams

__all__ = ["make"]

_TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15,
    "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35, "CAA": 257, "ANY": 255,
}  # fmt: skip
_RCODES = "NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED".split()
_HEADER = struct.Struct("!HHHHHH")
_RECURSION_DESIRED = 0x0100
_RESPONSE = 0x8000
_TRUNCATED = 0x0200
_LABEL_BYTES = 63
_NAME_BYTES = 255
_SHOWN = 8


class _Target(NamedTuple):
    server: str
    name: str
    kind: str


class _Answers(NamedTuple):
    """Of a reply, what counts; `shown` are those that are addresses."""

    rcode: int
    found: int
    truncated: bool
    shown: list[str]


class _Stream(asyncio.Protocol):
    """A reply over TCP, behind its length."""

    def __init__(self) -> None:
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        size = int.from_bytes(self._data[:2], "big")
        if len(self._data) >= 2 + size >= 4 and not self.reply.done():
            self.reply.set_result(self._data[2 : 2 + size])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.reply.done():
            self.reply.set_result(b"")


class _DNS:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._target = _parse(check.dns)
        self._timeout_s = timeout_s(check.timeout_ns)
        self._means = means

    async def run(self) -> Outcome:
        target = self._target
        asked = f"DNS {target.kind} {target.name}"
        if target.kind not in _TYPES:
            return failing(f"{asked}: unknown type")
        try:
            query = _query(int(self._means.clock.jitter(0xFFFF)), target.name, _TYPES[target.kind])
        except ValueError:
            return failing(f"{asked}: not a name")
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        try:
            server = _server(target.server)
            asked += f" @{join_host_port(*server)}"
            answers = await self._ask(server, query, deadline)
        except (DialError, _BadReplyError) as error:
            return failing(f"{asked}: {error}")
        except TimeoutError:
            return failing(f"{asked}: i/o timeout")
        except OSError as error:
            return failing(f"{asked}: {connect_words(error)}")
        rcode = _RCODES[answers.rcode] if answers.rcode < len(_RCODES) else str(answers.rcode)
        text = f"{asked}: {rcode}, {answers.found} answer{'' if answers.found == 1 else 's'}"
        if answers.shown:
            text += ": " + ", ".join(sorted(answers.shown)[:_SHOWN])
        return passing(text) if answers.rcode == 0 and answers.found else failing(text)

    async def _ask(self, server: Endpoint, query: bytes, deadline: float) -> _Answers:
        kind = _TYPES[self._target.kind]
        address = (await lookup(server.host, self._means.resolver, "udp", deadline))[0]
        transport, datagrams = await asyncio.get_running_loop().create_datagram_endpoint(
            Datagrams, remote_addr=(address, server.port)
        )
        try:
            transport.sendto(query)
            async with asyncio.timeout_at(deadline):
                answers = _read(await datagrams.first, query, kind)
        finally:
            transport.abort()
        if not answers.truncated:
            return answers
        endpoint = Endpoint(address, server.port)
        stream, protocol = await dial(_Stream, endpoint, self._means.resolver, deadline)
        try:
            stream.write(len(query).to_bytes(2, "big") + query)
            async with asyncio.timeout_at(deadline):
                return _read(await protocol.reply, query, kind)
        finally:
            stream.abort()


class _BadReplyError(Exception):
    """It answers, but not this question, or not in DNS."""


def _parse(text: str) -> _Target:
    server, slash, rest = text.partition("/")
    if not slash:
        server, rest = "", text
    name, _, kind = rest.partition("/")
    return _Target(server, name, kind.upper() or "A")


def _server(text: str) -> Endpoint:
    """Raises: DialError when it is no address."""
    if not text:
        return Endpoint(name_server(), 53)
    if is_address(text) or ":" not in text:
        return Endpoint(text, 53)
    return split_host_port(text, "udp")


def _query(number: int, name: str, kind: int) -> bytes:
    """Raises: ValueError for what can be no name."""
    plain = name if name.isascii() else name.encode("idna").decode()
    labels = [label.encode() for label in plain.removesuffix(".").split(".") if plain != "."]
    if not name or not all(0 < len(label) <= _LABEL_BYTES for label in labels):
        raise ValueError(name)
    encoded = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    if len(encoded) > _NAME_BYTES:
        raise ValueError(name)
    header = _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
    return header + encoded + struct.pack("!HH", kind, 1)


def _read(reply: bytes, query: bytes, kind: int) -> _Answers:
    """Raises: _BadReplyError for what is no answer to the query."""
    try:
        number, flags, questions, count, _, _ = _HEADER.unpack_from(reply)
        if number != int.from_bytes(query[:2], "big") or not flags & _RESPONSE:
            raise _BadReplyError("the reply is to another question")
        position = _HEADER.size
        for _ in range(questions):
            position = _skip_name(reply, position) + 4
        found, shown = 0, []
        for _ in range(0 if flags & _TRUNCATED else count):
            position = _skip_name(reply, position)
            got, _, _, size = struct.unpack_from("!HHIH", reply, position)
            position += 10
            data = reply[position : position + size]
            position += size
            if got == kind or kind == _TYPES["ANY"]:
                found += 1
                if (got, size) in ((1, 4), (28, 16)):
                    family = socket.AF_INET if got == 1 else socket.AF_INET6
                    shown.append(socket.inet_ntop(family, data))
    except (struct.error, IndexError, ValueError) as error:
        raise _BadReplyError("the reply is malformed") from error
    return _Answers(flags & 0xF, found, bool(flags & _TRUNCATED), shown)


def _skip_name(reply: bytes, position: int) -> int:
    """Where what follows a name begins; a pointer ends a name."""
    while (size := reply[position]) and size < 0xC0:
        position += 1 + size
    return position + (2 if size else 1)


def make(check: CheckDefinition, means: Means) -> Probe:
    return _DNS(check, means)

"""Asking the recursors: for whole questions that are not ours, and for where an alias leads.

One after the other, in the order of the settings or in one of chance; one that
does not answer in time, or with an error, is passed over. Every exchange has a
socket and an id of its own, and an answer counts only if it fits the question.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence

import dns.exception
import dns.message
import dns.name
import dns.rdatatype

from fairlead.clock import Clock
from fairlead.dns.records import CNAME, A, Record, fits

__all__ = ["Forwarder", "Overloaded"]

Address = tuple[str, int]

_HEADER_BYTES = 12
_GOOD = (0, 3)  # NOERROR and NXDOMAIN are answers; the rest are excuses
_IN = 1
# Exchanges under way at once; more questions are turned away.
_MOST_EXCHANGES = 1024
_MOST_BYTES = 65535


class Overloaded(Exception):  # noqa: N818 - it is a state, not a fault
    """Too many exchanges are under way."""


class _NoAnswer(Exception):  # noqa: N818
    """This recursor cannot be used now."""


class Forwarder:
    """The recursors of one configuration."""

    def __init__(
        self, recursors: Sequence[Address], timeout_s: float, *, at_random: bool, clock: Clock
    ) -> None:
        self._recursors = list(recursors)
        self._timeout_s = timeout_s
        self._at_random = at_random
        self._clock = clock
        self._under_way = 0

    async def forward(self, question: bytes, *, is_tcp: bool) -> bytes | None:
        """The first good answer, under the id of the question; None when all fail.

        Raises:
            Overloaded: there is no room for another exchange.
        """
        with self._place():
            for recursor in self._in_order():
                with contextlib.suppress(_NoAnswer, OSError, TimeoutError):
                    answer = await self._exchange(recursor, question, is_tcp=is_tcp)
                    if answer[3] & 0x0F in _GOOD:
                        return question[:2] + answer[2:]
        return None

    async def resolve(self, name: str) -> list[Record]:
        """The records an alias leads to; none when nobody knows.

        Raises:
            Overloaded: as `forward`.
        """
        try:
            message = dns.message.make_query(dns.name.from_text(name), "A")
        except dns.exception.DNSException:
            return []
        answer = await self.forward(message.to_wire(), is_tcp=False)
        return _records(answer) if answer is not None else []

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= _MOST_EXCHANGES:
            raise Overloaded
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def _in_order(self) -> list[Address]:
        recursors = list(self._recursors)
        if self._at_random:
            self._clock.shuffle(recursors)
        return recursors

    async def _exchange(self, recursor: Address, question: bytes, *, is_tcp: bool) -> bytes:
        own_id = bytes.fromhex(self._clock.new_id()[:4])
        asked = own_id + question[2:]
        exchange = _over_tcp if is_tcp else _over_udp
        async with asyncio.timeout(self._timeout_s):
            return await exchange(recursor, asked)


# ---------------------------------------------------------------- sockets


class _Exchange(asyncio.DatagramProtocol):
    """Waits for the datagram that answers a question."""

    def __init__(self, question: bytes) -> None:
        self._question = question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if _fits(data, self._question) and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(_NoAnswer(str(exc)))


async def _over_udp(recursor: Address, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, exchange = await loop.create_datagram_endpoint(
        lambda: _Exchange(question), remote_addr=recursor
    )
    try:
        transport.sendto(question)
        return await exchange.answer
    finally:
        exchange.answer.cancel()
        transport.close()


async def _over_tcp(recursor: Address, question: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*recursor, family=socket.AF_UNSPEC)
    try:
        writer.write(len(question).to_bytes(2, "big") + question)
        length = int.from_bytes(await reader.readexactly(2), "big")
        answer = await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        raise _NoAnswer("it hung up") from error
    finally:
        writer.close()
    if not _fits(answer, question):
        raise _NoAnswer("it answers something else")
    return answer


def _fits(answer: bytes, question: bytes) -> bool:
    """Whether this can be the answer: the id, the direction, and what was asked."""
    if len(answer) < _HEADER_BYTES or answer[:2] != question[:2] or not answer[2] & 0x80:
        return False
    if not int.from_bytes(answer[4:6], "big"):
        return answer[3] & 0x0F not in _GOOD
    end = _end_of_question(question)
    return answer[_HEADER_BYTES:end].lower() == question[_HEADER_BYTES:end].lower()


def _end_of_question(question: bytes) -> int:
    at = _HEADER_BYTES
    while question[at]:
        at += 1 + question[at]
    return at + 5


def _records(answer: bytes) -> list[Record]:
    """The answer section in our terms; what cannot be read is left out."""
    try:
        message = dns.message.from_wire(answer, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return []
    found = []
    for records in message.answer:
        owner = records.name.to_text(omit_final_dot=True)
        for record in records:
            if records.rdclass != _IN or records.rdtype not in (A, CNAME, dns.rdatatype.AAAA):
                continue
            if records.rdtype == CNAME:
                target = record.target.to_text(omit_final_dot=True)
                found.append(Record(owner, CNAME, records.ttl, target))
            else:
                found.append(Record(owner, int(records.rdtype), records.ttl, record.to_wire()))
    return [record for record in found if _is_plain(record.owner) and _is_plain(record.data)]


def _is_plain(name: object) -> bool:
    """Whether a name has no escapes; addresses are no names."""
    return not isinstance(name, str) or ("\\" not in name and fits(name))

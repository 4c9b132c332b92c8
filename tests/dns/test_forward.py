"""`fairlead.dns.forward`: recursors that answer, fail, lie or are silent; they are real servers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.rcode

from fairlead.core.commands import CatalogRegister
from fairlead.core.rows import Service
from tests.dns.catalogs import node, registration
from tests.dns.edge import Edge, edge_of


@contextlib.asynccontextmanager
async def far() -> AsyncIterator[Edge]:
    """Another server, for the domain `example.org`."""
    async with edge_of(domain="example.org") as edge:
        await edge.write(
            CatalogRegister(node("www", "192.0.2.1"), []),
            CatalogRegister(node("alias", "www.node.example.org"), []),
            *(
                registration(f"m{number}", f"192.0.2.{number}", Service("web", "web"))
                for number in range(100, 150)
            ),
        )
        yield edge


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A recursor that takes questions and never answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def at(edge: Edge) -> str:
    return f"127.0.0.1:{edge.port}"


def texts(message: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in message.answer for record in rrset]


async def test_what_is_not_ours_is_asked_of_the_recursor() -> None:
    async with far() as other, edge_of(recursors=[at(other)]) as edge:
        answer = await edge.ask("www.node.example.org")
        assert texts(answer) == ["192.0.2.1"]
        missing = await edge.ask("nobody.node.example.org")
        assert missing.rcode() == dns.rcode.NXDOMAIN
        (over_tcp,) = await edge.ask_over_tcp(edge.question("web.service.example.org"))
        assert len(over_tcp.answer) == 50


async def test_a_recursor_that_fails_or_is_silent_is_passed_over() -> None:
    with silent() as first:
        async with (
            edge_of(domain="elsewhere") as refuses,
            far() as other,
            edge_of(
                recursors=[first, at(refuses), at(other)], dns_config={"recursor_timeout": "50ms"}
            ) as edge,
        ):
            assert texts(await edge.ask("www.node.example.org")) == ["192.0.2.1"]


async def test_when_all_recursors_fail_so_does_the_answer() -> None:
    with silent() as only:
        async with edge_of(recursors=[only], dns_config={"recursor_timeout": "20ms"}) as edge:
            answer = await edge.ask("www.example.org", size=1232)
            assert answer.rcode() == dns.rcode.SERVFAIL
            assert answer.flags & dns.flags.RA
            assert answer.edns == 0
            assert (await edge.ask("n1.node.consul")).rcode() == dns.rcode.NOERROR


async def test_questions_of_ours_need_not_wait_for_a_recursor() -> None:
    with silent() as only:
        async with edge_of(recursors=[only]) as edge:
            slow = asyncio.create_task(edge.ask("www.example.org"))
            answer = await edge.ask("n1.node.consul")
            assert texts(answer) == ["127.0.0.1"]
            assert not slow.done()
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)


async def test_an_alias_is_followed() -> None:
    async with far() as other, edge_of(recursors=[at(other)]) as edge:
        service = Service("w", "far", address="alias.node.example.org", port=80)
        await edge.write(registration("m1", "10.0.0.1", service))
        assert texts(await edge.ask("far.service.consul")) == [
            "alias.node.example.org.",
            "www.node.example.org.",
            "192.0.2.1",
        ]
        targets = await edge.ask("far.service.consul", "SRV")
        assert texts(targets) == ["1 1 80 alias.node.example.org."]
        assert [str(rrset.name) for rrset in targets.additional[:2]] == [
            "alias.node.example.org.",
            "www.node.example.org.",
        ]


async def test_an_alias_that_leads_nowhere_is_given_all_the_same() -> None:
    with silent() as only:
        async with edge_of(recursors=[only], dns_config={"recursor_timeout": "20ms"}) as edge:
            service = Service("w", "far", address="www.example.org", port=80)
            await edge.write(registration("m1", "10.0.0.1", service))
            assert texts(await edge.ask("far.service.consul")) == ["www.example.org."]


class _Liar(asyncio.DatagramProtocol):
    """Answers with a wrong id, to another question, with no answer at all, and then rightly."""

    def __init__(self) -> None:
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        wrong = dns.message.make_response(question)
        wrong.id = question.id ^ 1
        other = dns.message.make_response(dns.message.make_query("evil.example", "A"))
        other.id = question.id
        right = dns.message.make_response(question)
        right.set_rcode(dns.rcode.NXDOMAIN)
        for reply in (wrong.to_wire(), other.to_wire(), b"", b"x" * 40, data, right.to_wire()):
            self._transport.sendto(reply, addr)


async def test_only_an_answer_to_the_question_counts() -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Liar, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        async with edge_of(recursors=[f"127.0.0.1:{port}"]) as edge:
            answer = await edge.ask("www.example.org")
            assert answer.rcode() == dns.rcode.NXDOMAIN
            assert [str(rrset.name) for rrset in answer.question] == ["www.example.org."]
    finally:
        transport.close()


async def test_a_recursor_s_long_answer_is_truncated_for_a_client_that_cannot_take_it() -> None:
    class Long(_Liar):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            reply = dns.message.make_response(dns.message.from_wire(data)).to_wire()
            self._transport.sendto(reply + b"\0" * 1000, addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Long, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        async with edge_of(recursors=[f"127.0.0.1:{port}"]) as edge:
            answer = await edge.ask("www.example.org")
            assert answer.flags & dns.flags.TC
    finally:
        transport.close()

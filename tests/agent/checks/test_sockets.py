"""TCP, UDP and DNS checks, against real sockets."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import DialError, split_host_port
from tests.agent.checks.servers import ANY_TIME_NS, certificate, run, serving
from tests.processes import free_port


async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def test_tcp_passes_when_somebody_listens() -> None:
    async with serving(wait) as port:
        for host in ("127.0.0.1", "localhost", ""):
            found = await run(CheckDefinition(tcp=f"{host}:{port}"))
            assert found == ("passing", f"TCP connect {host}:{port}: Success")


async def test_tcp_with_tls_wants_the_handshake(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    async with serving(wait, context) as port:
        check = CheckDefinition(tcp=f"127.0.0.1:{port}", tcp_use_tls=True)
        assert (await run(check, ca_file=ca_file)).status == "passing"
        unknown = await run(check)
        assert unknown == ("critical", "x509: certificate signed by unknown authority")
    async with serving(wait) as port:
        check = CheckDefinition(tcp=f"127.0.0.1:{port}", tcp_use_tls=True, timeout_ns=ANY_TIME_NS)
        assert (await run(check)).status == "critical"


async def test_tcp_gives_up_where_nobody_answers() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        host, port = full.getsockname()
        waiting = []
        for _ in range(4):  # until the queue takes no more
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((host, port))
            waiting.append(client)
        check = CheckDefinition(tcp=f"{host}:{port}", timeout_ns=ANY_TIME_NS)
        assert await run(check) == ("critical", f"dial tcp {host}:{port}: i/o timeout")
        for client in waiting:
            client.close()


@pytest.mark.parametrize(
    "text", ["", "x", "1.2.3.4", "::1:80", "[::1]", "[::1:80", "a:70000", "a:nosuch"]
)
def test_an_address_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(DialError):
        split_host_port(text)


class Datagrams(asyncio.DatagramProtocol):
    """Answers datagrams by `answer`, where it gives one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (reply := self.answer(data)) is not None:
            self.transport.sendto(reply, addr)

    def answer(self, data: bytes) -> bytes | None:
        return data or None


async def udp_server(kind: type[Datagrams]) -> tuple[asyncio.DatagramTransport, int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(kind, local_addr=("127.0.0.1", 0))
    return transport, transport.get_extra_info("sockname")[1]


async def test_udp_passes_on_an_answer_and_on_silence() -> None:
    transport, port = await udp_server(Datagrams)
    answered = CheckDefinition(udp=f"127.0.0.1:{port}", body="hello", timeout_ns=5 * 10**9)
    silent = CheckDefinition(udp=f"127.0.0.1:{port}", timeout_ns=ANY_TIME_NS)
    success = ("passing", f"UDP connect 127.0.0.1:{port}: Success")
    assert await run(answered) == success
    assert await run(silent) == success
    transport.close()


async def test_udp_is_critical_where_nobody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = await run(CheckDefinition(udp=f"127.0.0.1:{port}", timeout_ns=5 * 10**9))
    assert found == ("critical", f"read udp 127.0.0.1:{port}: read: connection refused")


class Names(Datagrams):
    """A name server, by dnspython: it knows web.test only, and big.test over TCP alone."""

    def answer(self, data: bytes) -> bytes | None:
        return resolve(data, over_tcp=False)


def resolve(data: bytes, *, over_tcp: bool) -> bytes:
    query = dns.message.from_wire(data)
    reply = dns.message.make_response(query)
    name = query.question[0].name.to_text()
    if name == "big.test." and not over_tcp:
        reply.flags |= dns.flags.TC
    elif name in ("web.test.", "big.test."):
        texts = {1: "192.0.2.7", 33: "1 1 80 a.web.test.", 28: "2001:db8::7"}
        kind = query.question[0].rdtype
        if kind in texts:
            reply.answer.append(dns.rrset.from_text(name, 9, "IN", kind, texts[kind]))
    elif name != "empty.test.":
        reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire()


async def names_over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = int.from_bytes(await reader.readexactly(2), "big")
    reply = resolve(await reader.readexactly(size), over_tcp=True)
    writer.write(len(reply).to_bytes(2, "big") + reply)
    await writer.drain()


async def test_dns_passes_when_a_name_has_an_answer() -> None:
    async with serving(names_over_tcp) as port:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            Names, local_addr=("127.0.0.1", port)
        )
        server = f"127.0.0.1:{port}"
        expected = {
            "web.test": ("passing", "A web.test", "NOERROR, 1 answer: 192.0.2.7"),
            "web.test/aaaa": ("passing", "AAAA web.test", "NOERROR, 1 answer: 2001:db8::7"),
            "web.test/SRV": ("passing", "SRV web.test", "NOERROR, 1 answer"),
            "web.test/MX": ("critical", "MX web.test", "NOERROR, 0 answers"),
            "big.test": ("passing", "A big.test", "NOERROR, 1 answer: 192.0.2.7"),
            "empty.test": ("critical", "A empty.test", "NOERROR, 0 answers"),
            "other.test": ("critical", "A other.test", "NXDOMAIN, 0 answers"),
        }
        for target, (status, asked, answer) in expected.items():
            found = await run(CheckDefinition(dns=f"{server}/{target}", timeout_ns=5 * 10**9))
            assert found == (status, f"DNS {asked} @{server}: {answer}")
        transport.close()


@pytest.mark.parametrize("target", ["", "a..b", "x" * 64, "127.0.0.1/x/NOSUCH", "127.0.0.1:x/a"])
async def test_a_question_of_nonsense_is_critical(target: str) -> None:
    check = CheckDefinition(dns=target or "/", timeout_ns=ANY_TIME_NS)
    assert (await run(check)).status == "critical"


@pytest.mark.parametrize("reply", [b"\0", b"\0\0\x80\0" + b"\xff" * 20, b"\xff" * 40])
async def test_garbage_for_a_reply_is_critical(reply: bytes) -> None:
    class Garbage(Datagrams):
        def answer(self, data: bytes) -> bytes | None:
            return reply

    transport, port = await udp_server(Garbage)
    check = CheckDefinition(dns=f"127.0.0.1:{port}/web.test", timeout_ns=5 * 10**9)
    assert (await run(check)).status == "critical"
    transport.close()


async def test_a_port_nobody_has_is_critical_for_every_kind() -> None:
    address = f"127.0.0.1:{free_port()}"
    for check in (
        CheckDefinition(tcp=address),
        CheckDefinition(grpc=address),
        CheckDefinition(h2ping=address),
        CheckDefinition(dns=f"{address}/web.test"),
    ):
        found = await run(check)
        assert found.status == "critical"
        assert "connection refused" in found.output

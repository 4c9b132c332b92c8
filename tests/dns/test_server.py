"""`fairlead.dns.server`: real questions over real sockets."""

from __future__ import annotations

import asyncio
import dataclasses
import socket

import dns.flags
import dns.message
import dns.rcode
import pytest

from fairlead.core.commands import CatalogDeregister, Command
from fairlead.core.rows import Service
from fairlead.core.state import State
from fairlead.dns.results import Found
from fairlead.engines import Contents
from fairlead.errors import SettingsError
from fairlead.following import Contact
from fairlead.store import Store
from tests.dns.catalogs import registration
from tests.dns.edge import Edge, edge_of, free_udp_port

WEB = Service("web", "web", port=80)


def instances(count: int) -> list[Command]:
    return [registration(f"m{number}", f"10.0.0.{number}", WEB) for number in range(1, count + 1)]


def texts(message: dns.message.Message) -> list[str]:
    return [record.to_text() for rrset in message.answer for record in rrset]


async def test_a_service_is_found_and_leaves_with_its_check() -> None:
    async with edge_of() as edge:
        assert (await edge.ask("web.service.consul")).rcode() == dns.rcode.NXDOMAIN
        await edge.write(registration("m1", "10.0.0.1", WEB, check="passing"))
        assert texts(await edge.ask("web.service.consul")) == ["10.0.0.1"]
        assert texts(await edge.ask("web.service.consul")) == ["10.0.0.1"]
        await edge.write(registration("m1", "10.0.0.1", WEB, check="critical"))
        assert (await edge.ask("web.service.consul")).rcode() == dns.rcode.NXDOMAIN
        await edge.write(registration("m1", "10.0.0.1", WEB, check="passing"))
        assert texts(await edge.ask("web.service.consul")) == ["10.0.0.1"]
        await edge.write(CatalogDeregister("m1"))
        assert (await edge.ask("web.service.consul")).rcode() == dns.rcode.NXDOMAIN


async def test_a_truncated_answer_is_whole_over_tcp() -> None:
    async with edge_of(dns_config={"enable_truncate": True}) as edge:
        await edge.write(*instances(40))
        short = await edge.ask("web.service.consul", "SRV")
        assert short.flags & dns.flags.TC
        assert len(short.answer) == 3
        (whole,) = await edge.ask_over_tcp(edge.question("web.service.consul", "SRV"))
        assert not whole.flags & dns.flags.TC
        assert len(whole.answer) == 40


async def test_questions_of_one_connection_are_answered_in_turn() -> None:
    async with edge_of() as edge:
        await edge.write(*instances(2))
        names = ["web.service.consul", "m1.node.consul", "m2.node.consul", "web.service.consul"]
        answers = await edge.ask_over_tcp(*map(edge.question, names))
        assert [str(answer.question[0].name) for answer in answers] == [
            f"{name}." for name in names
        ]


@pytest.mark.parametrize(("size", "most"), [(-1, 512), (512, 512), (1232, 1232), (4096, 4096)])
async def test_no_answer_is_longer_than_the_buffer_of_its_client(size: int, most: int) -> None:
    async with edge_of() as edge:
        await edge.write(*instances(200))
        question = edge.question("web.service.consul", "SRV", size=size)
        (answer,) = await edge.send(question)
        assert most / 3 < len(answer) <= most + 11


async def test_every_instance_has_its_share() -> None:
    async with edge_of() as edge:
        edge.clock.shuffle = _Rotation()  # type: ignore[method-assign]
        await edge.write(*instances(40))
        seen: set[str] = set()
        for _ in range(1000):
            seen.update(texts(await edge.ask("web.service.consul")))
        assert len(seen) == 40


class _Rotation:
    """Begins with another element each time: chance a test can rely on."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, items: list[object]) -> None:
        self._count += 3
        turn = self._count % len(items)
        items[:] = items[turn:] + items[:turn]


async def test_garbage_gets_no_answer_and_harms_nobody() -> None:
    async with edge_of() as edge:
        assert await edge.send(b"", b"x", b"\0" * 11, b"\0\1\x80\0" + b"\0" * 8) == []
        (refused,) = await edge.send(b"\0\1\1\0" + b"\xff" * 500)
        assert refused[3] & 0x0F == dns.rcode.FORMERR
        assert len(refused) == 12


async def test_a_connection_with_garbage_gets_format_errors() -> None:
    async with edge_of() as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"\0\x0c" + b"\0\1\1\0\0\2" + b"\0" * 6 + b"\0\0" + b"\0\5abcde")
        assert (await reader.readexactly(14))[5] & 0x0F == dns.rcode.FORMERR
        writer.close()
        await writer.wait_closed()


async def test_a_fault_of_ours_is_one_answer_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    def broken(state: State, name: str, source: str) -> Found | None:
        raise ZeroDivisionError

    async with edge_of(broken) as edge:
        answer = await edge.ask("any.query.consul")
        assert answer.rcode() == dns.rcode.SERVFAIL
        assert (await edge.ask("n1.node.consul")).rcode() == dns.rcode.NOERROR
    assert "a question could not be answered" in caplog.text


async def test_an_agent_that_knows_no_leader_fails_unless_stale_answers_will_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for allow_stale, rcode in ((True, dns.rcode.NOERROR), (False, dns.rcode.SERVFAIL)):
        config = {"allow_stale": allow_stale, "max_stale": "10s"}
        async with edge_of(dns_config=config) as edge:
            await edge.ask("n1.node.consul")
            monkeypatch.setattr(Store, "contact", Contact(False, 5000))
            assert (await edge.ask("n1.node.consul")).rcode() == rcode
            monkeypatch.setattr(Store, "contact", Contact(False, 15_000))
            assert (await edge.ask("n1.node.consul")).rcode() == dns.rcode.SERVFAIL
            monkeypatch.undo()


async def test_settings_are_taken_over_while_it_runs() -> None:
    async with edge_of() as edge:
        await edge.write(*instances(2))
        assert (await edge.ask("web.service.consul")).answer[0].ttl == 0
        edge.agent.settings = dataclasses.replace(
            edge.agent.settings, dns_config_service_ttl={"w*": 5 * 10**9}, domain="corp"
        )
        edge.server.reload()
        assert (await edge.ask("web.service.corp")).answer[0].ttl == 5
        assert (await edge.ask("web.service.consul")).rcode() == dns.rcode.REFUSED


async def test_a_restored_state_is_answered_from() -> None:
    async with edge_of() as edge:
        empty = edge.agent.store.contents()
        rows = list(empty.rows)
        await edge.write(*instances(1))
        assert texts(await edge.ask("web.service.consul")) == ["10.0.0.1"]
        await edge.agent.restore(Contents(empty.index, rows))
        assert (await edge.ask("web.service.consul")).rcode() == dns.rcode.NXDOMAIN


async def test_every_address_answers() -> None:
    async with edge_of(client_addr="127.0.0.1 127.0.0.2", addresses={"http": "unix:///x"}) as edge:
        assert edge.server.listening == [
            f"dns://127.0.0.1:{edge.port}",
            f"dns://127.0.0.2:{edge.port}",
        ]
        assert (await edge.ask("n1.node.consul", host="127.0.0.2")).answer


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_a_port_that_is_taken_is_one_line(kind: socket.SocketKind) -> None:
    port = free_udp_port()
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        with pytest.raises(SettingsError) as caught:
            async with edge_of(ports={"dns": port}):
                pass
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{port}: address already in use"


async def test_without_a_port_nothing_listens() -> None:
    async with edge_of(ports={"dns": -1}) as edge:
        assert edge.server.listening == []


async def test_idle_connections_are_closed_and_open_ones_end_with_the_server() -> None:
    async with edge_of() as edge:
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        writer.write(b"\0")
        await _connections(edge, 1)
        for connection in edge.server._connections:
            connection.last_s -= 60
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        await _connections(edge, 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
        await _connections(edge, 1)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def _connections(edge: Edge, count: int) -> None:
    async with asyncio.timeout(5):
        while len(edge.server._connections) != count:
            await asyncio.sleep(0.001)

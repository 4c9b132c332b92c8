"""`fairlead.http.wire`: what a connection does with well-behaved and with rude clients."""

from __future__ import annotations

import asyncio

import pytest

from fairlead.http.wire import Connection
from tests.fuzz.wires import Admit, Echo, Wire
from tests.http.edge import Edge, edge_of, request


async def test_a_connection_serves_one_request_after_the_other(edge: Edge) -> None:
    client = await edge.client()
    assert (await client.ask("PUT", "/v1/kv/a", b"1")).text == "true"
    assert (await client.ask("GET", "/v1/kv/a?raw")).text == "1"
    assert (await client.ask("GET", "/v1/kv/a?raw")).text == "1"


async def test_pipelined_requests_are_answered_in_order(edge: Edge) -> None:
    client = await edge.client()
    parts = [request("PUT", f"/v1/kv/k{number}", b"%d" % number) for number in range(100)]
    parts += [request("GET", f"/v1/kv/k{number}?raw") for number in range(100)]
    client.send(b"".join(parts))
    answers = [(await client.receive()).text for _ in parts]
    assert answers == ["true"] * 100 + [str(number) for number in range(100)]


async def test_what_is_pipelined_behind_a_blocking_read_waits_for_it(edge: Edge) -> None:
    await edge.set("a")
    index = edge.agent.store.state.kv.index
    client = await edge.client()
    client.send(
        request("GET", f"/v1/kv/a?index={index}&wait=1m") + request("GET", "/v1/kv/a?raw") * 40
    )
    await edge.parked(1)
    await edge.set("a", b"new")
    assert (await client.receive()).index == index + 1
    assert [(await client.receive()).text for _ in range(40)] == ["new"] * 40


async def test_garbage_behind_a_blocking_read_is_refused_in_its_turn(edge: Edge) -> None:
    await edge.set("a")
    client = await edge.client()
    client.send(request("GET", "/v1/kv/a?index=1000&wait=1m") + b"\0\r\n\r\n")
    await edge.parked(1)
    client.send(request("GET", "/v1/kv/a"))
    for _ in range(3):
        assert (await edge.ask("PUT", "/v1/kv/b", b"v")).status == 200
    assert edge.blocking == 1
    edge.agent.store.state.index = 1000
    await edge.set("a", b"new")
    assert (await client.receive()).index == 1001
    assert (await client.receive()).status == 400
    assert await client.is_closed()


async def test_the_answer_to_head_has_a_length_but_no_body(edge: Edge) -> None:
    client = await edge.client()
    client.send(request("HEAD", "/v1/kv/a") + request("GET", "/v1/status/leader"))
    head = await client.receive(bodiless=True)
    assert (head.status, head.headers["Content-Length"]) == (405, "23")
    assert (await client.receive()).status == 200


async def test_garbage_behind_a_request_is_refused_each_time(edge: Edge) -> None:
    for _ in range(2):
        client = await edge.client()
        client.send(request("GET", "/v1/kv/none") + b"\0\r\n\r\n")
        assert [(await client.receive()).status for _ in range(2)] == [404, 400]
        assert await client.is_closed()


@pytest.mark.parametrize("size", [1, 2, 7, 64])
async def test_a_request_may_come_in_pieces_of_any_size(edge: Edge, size: int) -> None:
    client = await edge.client()
    data = request("PUT", "/v1/kv/pieces?flags=7", b"value" * 20, X_Consul_Token="t")
    for start in range(0, len(data), size):
        client.send(data[start : start + size])
        await asyncio.sleep(0)
    assert (await client.receive()).text == "true"
    assert (await client.ask("GET", "/v1/kv/pieces?raw")).body == b"value" * 20


async def test_the_same_bytes_are_answered_anew_each_time(edge: Edge) -> None:
    client = await edge.client()
    for value in (b"1", b"2", b"3"):
        await edge.set("a", value)
        assert (await client.ask("GET", "/v1/kv/a?raw")).body == value


async def test_remembered_requests_are_few(edge: Edge) -> None:
    client = await edge.client()
    for number in range(3000):
        client.send(request("GET", f"/v1/kv/none/{number}"))
        await client.receive()
    assert len(edge.server.app.known) <= 1024


async def test_a_client_that_goes_away_frees_its_blocking_read(edge: Edge) -> None:
    await edge.set("a")
    client = await edge.client()
    client.send(request("GET", "/v1/kv/a?index=1000&wait=10m"))
    await edge.parked(1)
    client.close()
    await edge.parked(0)


async def test_http_1_0_closes_after_the_answer(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"GET /v1/status/leader HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    reply = await client.receive()
    assert (reply.status, reply.headers["Connection"]) == (200, "close")
    assert await client.is_closed()


async def test_connection_close_is_honoured(edge: Edge) -> None:
    client = await edge.client()
    reply = await client.ask("GET", "/v1/status/leader", Connection="close")
    assert reply.headers["Connection"] == "close"
    assert await client.is_closed()


async def test_an_absolute_url_is_served(edge: Edge) -> None:
    await edge.set("a")
    assert (await edge.ask("GET", "http://anything:8500/v1/kv/a?raw")).text == "v"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /v1/kv/a HTTP/9.9\r\n\r\n",
        b"GET /v1/kv/a HTTP/2.0\r\n\r\n",
        b"GET /v1/kv/a HTTP/0.9\r\nConnection: keep-alive\r\n\r\n",
        b"GET relative HTTP/1.1\r\n\r\n",
        b"GET /v1/kv/a%zz HTTP/1.1\r\n\r\n",
        b"GET /v1/kv/a HTTP/1.1\r\nbad header\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"PUT /v1/kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_400_and_is_closed(edge: Edge, data: bytes) -> None:
    client = await edge.client()
    client.send(data)
    reply = await client.receive()
    assert (reply.status, reply.text) == (400, "400 Bad Request")
    assert reply.headers["Connection"] == "close"
    assert await client.is_closed()
    assert "a" not in edge.agent.store.state.kv.rows


async def test_a_java_client_that_offers_http_2_is_answered_in_http_1(edge: Edge) -> None:
    client = await edge.client()
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAE"}
    assert (await client.ask("PUT", "/v1/kv/a", b"1", **offer)).text == "true"
    assert (await client.ask("GET", "/v1/kv/a?raw", None, **offer)).text == "1"
    assert (await client.ask("GET", "/v1/kv/a?raw")).text == "1"


async def test_an_endless_head_is_refused(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"GET /v1/kv/a HTTP/1.1\r\n")
    for _ in range(40):
        client.send(b"X-Header: " + b"x" * 32768 + b"\r\n")
    assert (await client.receive()).status == 431
    assert await client.is_closed()


# ---------------------------------------------------------------- bodies


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 600000\r\n\r\n")
    reply = await client.receive()
    assert reply.status == 413
    assert reply.text.startswith(
        "Request body(600000 bytes) too large, max size: 524288 bytes. See"
    )
    assert await client.is_closed()


async def test_a_chunked_body_is_refused_as_soon_as_it_is_over_the_limit(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"PUT /v1/kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(9):
        client.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    reply = await client.receive()
    assert (reply.status, reply.text[:22]) == (413, "Request body too large")
    assert "a" not in edge.agent.store.state.kv.rows


async def test_the_limit_follows_the_settings() -> None:
    async with edge_of(limits={"kv_max_value_size": 10}) as edge:
        assert (await edge.ask("PUT", "/v1/kv/a", b"x" * 10)).text == "true"
        reply = await edge.ask("PUT", "/v1/kv/a", b"x" * 11)
        assert reply.text.startswith("Request body(11 bytes) too large, max size: 10 bytes.")


async def test_a_client_that_asks_first_is_told_to_continue(edge: Edge) -> None:
    client = await edge.client()
    head = b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    client.send(head)
    assert (await client.receive()).status == 100
    client.send(b"value")
    assert (await client.receive()).text == "true"


async def test_who_asks_first_is_told_to_continue_when_it_is_their_turn(edge: Edge) -> None:
    await edge.set("a")
    client = await edge.client()
    head = b"PUT /v1/kv/b HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"
    client.send(request("GET", "/v1/kv/a?index=1000&wait=10ms") + head)
    assert [(await client.receive()).status for _ in range(2)] == [200, 100]
    client.send(b"value")
    assert (await client.receive()).text == "true"


async def test_a_client_that_asks_first_is_told_that_its_body_is_too_large(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 600000\r\nExpect: 100-continue\r\n\r\n")
    assert (await client.receive()).status == 413


async def test_large_answers_are_compressed_for_who_asks(edge: Edge) -> None:
    await edge.set("small", b"x")
    await edge.set("large", b"x" * 5000)
    plain = await edge.ask("GET", "/v1/kv/large")
    packed = await edge.ask("GET", "/v1/kv/large", Accept_Encoding="gzip")
    small = await edge.ask("GET", "/v1/kv/small", Accept_Encoding="gzip")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 10
    assert "Content-Encoding" not in small.headers


# ---------------------------------------------------------------- many clients


async def test_one_client_may_have_so_many_connections_and_no_more() -> None:
    async with edge_of(limits={"http_max_conns_per_client": 3}) as edge:
        clients = [await edge.client() for _ in range(3)]
        for client in clients:
            assert (await client.ask("GET", "/v1/status/leader")).status == 200
        refused = await edge.client()
        reply = await refused.receive()
        assert (reply.status, "too many concurrent connections" in reply.text) == (429, True)
        clients[0].close()
        await edge.until(lambda: len(edge.server._connections) < 3)
        assert (await edge.ask("GET", "/v1/status/leader")).status == 200


async def test_a_half_sent_request_ends_when_its_time_is_over(edge: Edge) -> None:
    client, other = await edge.client(), await edge.client()
    client.send(b"PUT /v1/kv/a HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf")
    await edge.until(lambda: len(edge.server._half) == 1)
    assert (await other.ask("PUT", "/v1/kv/b", b"1")).text == "true"
    edge.server.expire_before(float("inf"))
    assert (await client.receive()).status == 408
    assert await client.is_closed()
    assert not edge.server._half


async def test_the_rest_of_a_request_has_time_until_it_is_its_turn(edge: Edge) -> None:
    await edge.set("a")
    index = edge.agent.store.state.kv.index
    client = await edge.client()
    whole = request("PUT", "/v1/kv/b", b"value")
    client.send(request("GET", f"/v1/kv/a?index={index}") + whole[:-1])
    await edge.parked(1)
    await edge.until(lambda: len(edge.server._half) == 1)
    edge.server.expire_before(float("inf"))
    client.send(whole[-1:])
    await edge.set("a", b"new")
    assert [(await client.receive()).status for _ in range(2)] == [200, 200]


def test_a_client_that_reads_slowly_is_not_read_ahead_of() -> None:
    connection = Connection(Echo(), Admit())
    wire = Wire(connection, 100)
    for _ in range(100):
        wire.feed(b"GET / HTTP/1.1\r\n\r\n" * 50)
    for _ in range(500):
        wire.drain()
        wire.flow()
        assert connection._waiting is not None
        assert len(connection._waiting) < 32 + 50


async def test_a_client_that_does_not_read_is_read_no_further(edge: Edge) -> None:
    await edge.set("large", b"x" * 500_000)
    client = await edge.client()
    for _ in range(200):
        client.send(request("GET", "/v1/kv/large?raw"))
    (connection,) = edge.server._connections
    await edge.until(lambda: connection._paused)
    assert connection._transport.get_write_buffer_size() < 4 * 500_000
    for _ in range(200):
        assert len((await client.receive()).body) == 500_000


async def test_stopping_ends_every_connection() -> None:
    async with edge_of() as edge:
        await edge.set("a")
        idle, waiting = await edge.client(), await edge.client()
        await idle.ask("GET", "/v1/kv/a")
        waiting.send(request("GET", "/v1/kv/a?index=1000"))
        await edge.parked(1)
        await edge.server.stop()
        assert await idle.is_closed()
        assert await waiting.is_closed()

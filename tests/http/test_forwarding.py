"""A client agent's HTTP edge, its server's, and the link between them, all in this loop."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.clock import FakeClock
from fairlead.http.forwarding import ForwardedEdge
from fairlead.http.server import HttpServer
from fairlead.settings.settings import build
from tests.http.edge import Edge, edge_of
from tests.processes import free_port


class Pair:
    """A server, and a client linked to it."""

    def __init__(self, server: Edge, client: Edge) -> None:
        self.server = server
        self.client = client


@contextlib.asynccontextmanager
async def client_of(tmp: Any, **raw: Any) -> AsyncIterator[Edge]:
    settings = build(
        {
            "node_name": "c1",
            "node_id": "00000000-0000-4000-9000-000000000001",
            "bind_addr": "127.0.0.1",
            "data_dir": str(tmp),
            "ports": {"http": free_port()},
            **raw,
        }
    )
    clock = FakeClock()
    agent = Agent(settings, None, clock)
    await agent.start()
    server = HttpServer(agent)
    await server.start()
    edge = Edge(agent, server, clock)
    try:
        yield edge
    finally:
        await edge.close()
        await server.stop()
        await agent.stop()
        await asyncio.sleep(0.01)


@pytest.fixture
async def pair(tmp_path: Any) -> AsyncIterator[Pair]:
    port = free_port()
    async with edge_of(ports={"server": port, "serf_lan": -1, "serf_wan": -1}) as server:
        await server.agent.listen()
        async with client_of(tmp_path, start_join=[f"127.0.0.1:{port}"]) as client:
            yield Pair(server, client)


@pytest.fixture
async def alone(tmp_path: Any) -> AsyncIterator[Edge]:
    async with client_of(tmp_path) as client:
        yield client


READS = (
    "/v1/kv/a",
    "/v1/kv/a?raw",
    "/v1/kv/none",
    "/v1/kv/?recurse&pretty",
    "/v1/kv/a?index=x",
    "/v1/kv/a?dc=nowhere",
    "/v1/session/list",
    "/v1/session/info/nonsense",
    "/v1/status/leader",
    "/v1/status/peers",
    "/v1/catalog/datacenters",
    "/v1/nothing",
    "/v1/agent/members?segment=x&wan=1",
    "/v1/kv/a//b",
    "/v1/kv/%ff",
)


@pytest.mark.parametrize("target", READS)
async def test_a_client_answers_as_its_server_does(pair: Pair, target: str) -> None:
    await pair.server.set("a", b"value")
    ours, theirs = [await edge.ask("GET", target) for edge in (pair.client, pair.server)]
    for reply in (ours, theirs):
        del reply.headers["Date"]
    assert (ours.status, ours.headers, ours.body) == (theirs.status, theirs.headers, theirs.body)


async def test_writes_through_a_client_are_there(pair: Pair) -> None:
    assert (await pair.client.ask("PUT", "/v1/kv/a?flags=3", b"v")).body == b"true"
    assert (await pair.server.ask("GET", "/v1/kv/a?raw")).body == b"v"
    assert (await pair.client.ask("PUT", "/v1/kv/a?cas=1", b"w")).body == b"false"
    big = await pair.client.ask("PUT", "/v1/kv/b", b"x" * 600_000)
    assert (big.status, big.headers["Connection"]) == (413, "close")


@pytest.mark.parametrize(
    "target",
    [b"", b"?", b"/", b"/v1/kv/\xff", b"/v1/kv/%", b"/v1/kv/%zz?%", b"\0", b"*", b"/v1/kv"],
)
@pytest.mark.parametrize("method", ["GET", "", "BREW", "PUT"])
async def test_whatever_an_agent_forwards_is_answered(
    pair: Pair, method: str, target: bytes
) -> None:
    link = pair.client.agent.link
    assert link is not None
    reply = await link.request(method, target)
    assert reply.status in (200, 301, 400, 404, 405)


async def test_near_its_agent_is_near_the_client(pair: Pair) -> None:
    link = pair.client.agent.link
    assert link is not None
    asked: list[bytes] = []
    cluster = pair.server.agent.cluster
    assert isinstance(cluster, ServerCluster)
    assert cluster.links.edge is not None
    edge: ForwardedEdge | Any = cluster.links.edge

    class Seen:
        limit_bytes = edge.limit_bytes

        def ask(self, method: str, target: bytes, *rest: Any) -> Any:
            asked.append(target)
            return edge.ask(method, target, *rest)

    cluster.links.edge = Seen()
    await pair.client.ask("GET", "/v1/catalog/datacenters?near=_agent&x=1")
    assert asked == [b"/v1/catalog/datacenters?near=c1&x=1"]


async def test_a_session_made_through_a_client_is_its_node_s(pair: Pair) -> None:
    made = await pair.client.ask("PUT", "/v1/session/create", b'{"TTL": "10s"}')
    listed = json.loads((await pair.server.ask("GET", "/v1/session/node/c1")).body)
    assert [session["ID"] for session in listed] == [json.loads(made.body)["ID"]]
    assert len(pair.server.agent.session_timers) == 1


async def test_a_blocking_read_through_a_client_wakes(pair: Pair) -> None:
    await pair.server.set("a")
    index = (await pair.client.ask("GET", "/v1/kv/a")).index
    client = await pair.client.client()
    waiting = asyncio.create_task(client.ask("GET", f"/v1/kv/a?index={index}&wait=1m"))
    await pair.server.parked(1)
    await pair.server.set("a", b"new")
    reply = await waiting
    assert reply.index > index
    assert b"bmV3" in reply.body


async def test_a_reader_that_goes_away_frees_the_server_too(pair: Pair) -> None:
    client = await pair.client.client()
    client.send(b"GET /v1/kv/a?index=9999&wait=1m HTTP/1.1\r\n\r\n")
    await pair.server.parked(1)
    client.close()
    await pair.server.parked(0)


async def test_a_snapshot_passes_through_a_client(pair: Pair) -> None:
    for number in range(50):
        await pair.server.set(f"k{number}", b"x" * 1000)
    archive = await pair.client.ask("GET", "/v1/snapshot")
    assert (archive.status, archive.headers["Content-Type"]) == (200, "application/x-gzip")
    await pair.client.ask("DELETE", "/v1/kv/?recurse")
    assert (await pair.client.ask("PUT", "/v1/snapshot", archive.body)).status == 200
    assert len(json.loads((await pair.client.ask("GET", "/v1/kv/?keys")).body)) == 50


async def test_each_agent_speaks_of_itself(pair: Pair) -> None:
    ours, theirs = [
        json.loads((await edge.ask("GET", "/v1/agent/self")).body)
        for edge in (pair.client, pair.server)
    ]
    assert (ours["Config"]["NodeName"], ours["Config"]["Server"]) == ("c1", False)
    assert (theirs["Config"]["NodeName"], theirs["Config"]["Server"]) == ("n1", True)
    assert ours["Member"]["Tags"]["role"] == "node"
    assert "raft" not in ours["Stats"]
    assert (await pair.client.ask("GET", "/v1/agent/metrics")).status == 200


async def test_all_agents_see_the_same_members(pair: Pair) -> None:
    ours, theirs = [
        json.loads((await edge.ask("GET", "/v1/agent/members")).body)
        for edge in (pair.client, pair.server)
    ]
    assert ours == theirs
    assert [(member["Name"], member["Status"]) for member in ours] == [("c1", 1), ("n1", 1)]


async def test_what_a_client_blocks_is_the_client_s_matter(tmp_path: Any) -> None:
    port = free_port()
    block = {"block_endpoints": ["/v1/kv"]}
    async with edge_of(
        ports={"server": port, "serf_lan": -1, "serf_wan": -1}, http_config=block
    ) as server:
        await server.agent.listen()
        async with client_of(tmp_path, retry_join=[f"127.0.0.1:{port}"]) as client:
            assert client.agent.link is not None
            await client.agent.link.wait_up()
            assert (await client.ask("GET", "/v1/kv/none")).status == 404
            assert (await server.ask("GET", "/v1/kv/none")).status == 403


# ---------------------------------------------------------------- leaving


async def test_a_client_leaves_on_request(pair: Pair) -> None:
    assert (await pair.client.ask("PUT", "/v1/agent/leave")).status == 200
    assert pair.client.agent.ended.is_set()
    members = json.loads((await pair.server.ask("GET", "/v1/agent/members")).body)
    assert [(member["Name"], member["Status"]) for member in members] == [("c1", 3), ("n1", 1)]


async def test_force_leave_works_through_a_client(pair: Pair) -> None:
    reply = await pair.client.ask("PUT", "/v1/agent/force-leave/nope")
    assert (reply.status, reply.text) == (400, "agent: No node found with name 'nope'")
    assert (await pair.client.ask("PUT", "/v1/agent/force-leave/c1?prune")).status == 200


# ---------------------------------------------------------------- without a server


@pytest.mark.parametrize("target", ["/v1/kv/a", "/v1/status/leader", "/v1/session/list?stale"])
async def test_without_a_server_there_is_one_clear_error(alone: Edge, target: str) -> None:
    reply = await alone.ask("GET", target)
    assert (reply.status, reply.text) == (500, "No known Consul servers")


async def test_without_a_server_an_agent_still_speaks_of_itself(alone: Edge) -> None:
    assert (await alone.ask("GET", "/v1/agent/self")).status == 200
    members = json.loads((await alone.ask("GET", "/v1/agent/members")).body)
    assert [(member["Name"], member["Status"]) for member in members] == [("c1", 1)]
    assert (await alone.ask("GET", "/v1/agent/metrics?format=prometheus")).status == 200


async def test_joining_by_http_finds_the_server_or_says_why_not(alone: Edge) -> None:
    port = free_port()
    reply = await alone.ask("PUT", f"/v1/agent/join/127.0.0.1:{port}")
    assert (reply.status, reply.text) == (
        500,
        "1 error occurred:\n\t* Failed to join 127.0.0.1: dial tcp "
        f"127.0.0.1:{port}: connect: connection refused\n\n",
    )
    async with edge_of(ports={"server": port, "serf_lan": -1, "serf_wan": -1}) as server:
        await server.agent.listen()
        for _ in range(2):
            reply = await alone.ask("PUT", f"/v1/agent/join/127.0.0.1:{port}")
            assert (reply.status, reply.body) == (200, b"")
        assert (await alone.ask("GET", "/v1/kv/none")).status == 404


async def test_cut_off_a_client_shows_the_others_as_failed(pair: Pair) -> None:
    await pair.client.ask("GET", "/v1/agent/members")
    await pair.server.agent.cluster.stop()
    link = pair.client.agent.link
    assert link is not None
    await pair.client.until(lambda: not link.is_up)
    members = json.loads((await pair.client.ask("GET", "/v1/agent/members")).body)
    assert [(member["Name"], member["Status"]) for member in members] == [("c1", 1), ("n1", 4)]

"""`/v1/snapshot` over HTTP."""

from __future__ import annotations

from typing import IO

import pytest

from fairlead.agent import archive
from fairlead.core.commands import KVLock
from fairlead.engines import Contents
from tests.core.deciding import session
from tests.http.edge import Edge, edge_of, request


async def test_a_snapshot_taken_on_one_agent_is_restored_on_another(edge: Edge) -> None:
    await edge.set("a/é", b"\x00\xff")
    await edge.agent.store.submit(session("s1"))
    await edge.agent.store.submit(KVLock("lock", b"v", 3, "s1", 0))
    reply = await edge.ask("GET", "/v1/snapshot")
    assert reply.headers["Content-Type"] == "application/x-gzip"
    assert reply.index == edge.agent.store.state.index
    before = (await edge.ask("GET", "/v1/kv/?recurse")).body
    async with edge_of(node_name="n2", node_id="22222222-2222-4222-8222-222222222222") as other:
        await other.set("goes")
        assert (await other.ask("PUT", "/v1/snapshot", reply.body)).status == 200
        assert (await other.ask("GET", "/v1/kv/?recurse")).body == before
        assert b'"ID":"s1"' in (await other.ask("GET", "/v1/session/list")).body
        # The other's own node is not in the snapshot: it registers again.
        await other.until(lambda: "n2" in other.agent.store.state.nodes.rows)


async def test_a_damaged_snapshot_is_refused_and_nothing_changes(edge: Edge) -> None:
    await edge.set("a", b"x" * 1000)
    archive = (await edge.ask("GET", "/v1/snapshot")).body
    await edge.set("a", b"later")
    middle = len(archive) // 2
    flipped = archive[:middle] + bytes([archive[middle] ^ 1]) + archive[middle + 1 :]
    for damaged in (archive[:middle], flipped, b"", b"junk", archive[10:]):
        reply = await edge.ask("PUT", "/v1/snapshot", damaged)
        assert reply.status == 400
        assert reply.text
    assert (await edge.ask("GET", "/v1/kv/a?raw")).text == "later"


async def test_a_large_snapshot_is_streamed(edge: Edge) -> None:
    for number in range(40):
        await edge.set(f"large/{number}", (b"%d" % number) * 100_000)
    archive = (await edge.ask("GET", "/v1/snapshot")).body
    async with edge_of() as other:
        assert (await other.ask("PUT", "/v1/snapshot", archive)).status == 200
        assert len(other.agent.store.state.kv) == 40


async def test_a_client_of_http_1_0_gets_a_snapshot_without_chunks(edge: Edge) -> None:
    client = await edge.client()
    client.send(b"GET /v1/snapshot HTTP/1.0\r\n\r\n")
    reply = await client.receive()
    assert "Transfer-Encoding" not in reply.headers
    assert (await edge.ask("PUT", "/v1/snapshot", reply.body)).status == 200


@pytest.mark.parametrize("size", [10, 20_000_000])
async def test_a_client_that_goes_leaves_no_snapshot_behind(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    files: list[IO[bytes]] = []

    def write(contents: Contents, about: archive.About) -> IO[bytes]:
        file = archive_write(contents, about)
        file.truncate(size)
        files.append(file)
        return file

    archive_write = archive.write
    monkeypatch.setattr(archive, "write", write)
    at_once, later = await edge.client(), await edge.client()
    for client in (at_once, later):
        client.send(request("GET", "/v1/snapshot"))
    at_once.close()
    await edge.until(lambda: len(files) == 2)
    later.close()
    await edge.until(lambda: all(file.closed for file in files))

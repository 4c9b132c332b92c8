"""Watches of the configuration, run against a real agent with real commands and servers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.agent.watch_loops import Answer, WatchLoops
from fairlead.errors import UnavailableError
from fairlead.http.inward import Inward
from fairlead.settings.watches import watch_definitions
from tests.http.edge import Edge, edge_of


@contextlib.asynccontextmanager
async def watching(edge: Edge, *raw: dict[str, Any]) -> AsyncIterator[WatchLoops]:
    loops = WatchLoops(Inward(edge.server.app).get, edge.clock)
    loops.take_over(watch_definitions(list(raw)))
    try:
        yield loops
    finally:
        await loops.stop()


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with edge_of() as edge:
        yield edge


def append(path: Path) -> dict[str, Any]:
    """A handler that appends what it is given, as one line with the index."""
    return {"args": ["/bin/sh", "-c", f'read line; echo "$CONSUL_INDEX $line" >> {path}']}


def news(path: Path) -> list[Any]:
    return [json.loads(line.partition(" ")[2]) for line in lines(path)]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


async def test_a_command_gets_what_there_is_and_every_change(edge: Edge, tmp_path: Path) -> None:
    log = tmp_path / "log"
    await edge.set("web/a", b"1")
    async with watching(edge, {"type": "key", "key": "web/a", **append(log)}):
        await edge.until(lambda: len(lines(log)) == 1)
        await edge.set("web/b")
        await edge.set("web/a", b"2")
        await edge.until(lambda: len(lines(log)) == 2)
    assert [row["Value"] for row in news(log)] == ["MQ==", "Mg=="]
    assert lines(log)[1].startswith(f"{news(log)[1]['ModifyIndex']} ")


async def test_every_type_can_be_watched(edge: Edge, tmp_path: Path) -> None:
    watches: list[dict[str, Any]] = [
        {"type": "key", "key": "a"},
        {"type": "keyprefix", "prefix": "a"},
        {"type": "services"},
        {"type": "nodes"},
        {"type": "service", "service": "web", "tag": ["x"]},
        {"type": "checks", "state": "critical"},
        {"type": "event", "name": "deploy"},
    ]
    paths = [tmp_path / watch["type"] for watch in watches]
    handled = [{**watch, **append(path)} for watch, path in zip(watches, paths, strict=True)]
    async with watching(edge, *handled):
        await edge.until(lambda: all(path.exists() for path in paths))
        await edge.set("a")
        body = b'{"Node":"n2","Address":"10.0.0.2","Service":{"Service":"web","Tags":["x"]},'
        body += b'"Check":{"Name":"c","Status":"critical"}}'
        await edge.ask("PUT", "/v1/catalog/register", body)
        await edge.ask("PUT", "/v1/event/fire/deploy", b"1")
        await edge.until(lambda: all(len(lines(path)) >= 2 for path in paths))
    last = {path.name: news(path)[-1] for path in paths}
    assert last["key"]["Key"] == "a"
    assert [row["Key"] for row in last["keyprefix"]] == ["a"]
    assert last["services"]["web"] == ["x"]
    assert [row["Node"] for row in last["nodes"]] == ["n1", "n2"]
    assert [row["Service"]["Service"] for row in last["service"]] == ["web"]
    assert [row["Name"] for row in last["checks"]] == ["c"]
    assert [row["Payload"] for row in last["event"]] == ["MQ=="]


async def test_news_are_sent_over_http(edge: Edge, tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if b"Content-Length" in line
        )
        asked.append(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    http = {"path": f"http://127.0.0.1:{port}/hook?x", "header": {"X-Who": ["me"]}}
    watch = {"type": "key", "key": "a", "handler_type": "http", "http_handler_config": http}
    async with server, watching(edge, watch):
        await edge.until(lambda: len(asked) == 1)
        await edge.set("a", "ü".encode())
        await edge.until(lambda: len(asked) == 2)
    assert asked[0].startswith(b"POST /hook?x HTTP/1.1\r\n")
    head, _, body = asked[1].partition(b"\r\n\r\n")
    row = json.loads(body)
    assert row["Value"] == "w7w="
    assert f"X-Consul-Index: {row['ModifyIndex']}".encode() in head
    assert b"X-Who: me" in head
    assert b"Content-Type: application/json" in head


async def test_a_handler_that_fails_is_logged_and_the_watch_goes_on(
    edge: Edge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watches = [
        {"type": "key", "key": "a", "args": ["/bin/sh", "-c", "echo why; exit 3"]},
        {"type": "key", "key": "a", "args": ["/nowhere/program"]},
    ]
    async with watching(edge, *watches):
        await edge.until(lambda: len(caplog.records) == 2)
        await edge.set("a")
        await edge.until(lambda: len(caplog.records) == 4)
    text = caplog.text
    assert 'error="exit status 3"' in text
    assert "why" in text
    assert 'error="fork/exec /nowhere/program: no such file or directory"' in text


async def test_a_reload_ends_what_is_gone_and_leaves_the_rest_alone(
    edge: Edge, tmp_path: Path
) -> None:
    kept, gone, new = (tmp_path / name for name in ("kept", "gone", "new"))
    stays = {"type": "key", "key": "a", **append(kept)}
    goes = {"type": "key", "key": "a", **append(gone)}
    async with watching(edge, stays, goes) as loops:
        await edge.until(lambda: lines(kept) and lines(gone))
        loops.take_over(watch_definitions([stays, {"type": "key", "key": "a", **append(new)}]))
        await edge.until(lambda: lines(new))
        await edge.set("a")
        await edge.until(lambda: len(lines(new)) == len(lines(kept)) == 2)
    assert len(lines(gone)) == 1


async def test_what_a_handler_still_runs_ends_with_its_watch(edge: Edge, tmp_path: Path) -> None:
    started, ended = tmp_path / "started", tmp_path / "ended"
    line = f"touch {started}; sleep 60; touch {ended}"
    async with watching(edge, {"type": "nodes", "handler": line}):
        await edge.until(started.exists)
    assert not ended.exists()
    await edge.parked(0)


async def test_an_agent_that_cannot_answer_is_asked_again(
    edge: Edge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures = 2

    async def ask(target: str, token: str) -> Answer:
        nonlocal failures
        if failures:
            failures -= 1
            if failures:
                raise UnavailableError("No known Consul servers")
            return Answer(500, 0, b"rpc error\n")
        return await Inward(edge.server.app).get(target, token)

    log = tmp_path / "log"
    loops = WatchLoops(ask, edge.clock, retry_s=0.001)
    loops.take_over(watch_definitions([{"type": "nodes", **append(log)}]))
    await edge.until(lambda: lines(log))
    await loops.stop()
    assert 'Watch errored: type=nodes error="No known Consul servers"' in caplog.text
    assert 'error="Unexpected response code: 500 (rpc error)"' in caplog.text

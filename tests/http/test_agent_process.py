"""The log, the configuration, the host and the version, over HTTP."""

from __future__ import annotations

import logging

import pytest

from fairlead.errors import SettingsError
from tests.http.edge import Edge, request

log = logging.getLogger("agent.test")


class Monitor:
    """A client that follows the log."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def open(self, query: str = "") -> Monitor:
        self.client = await self._edge.client()
        self.client.send(request("GET", f"/v1/agent/monitor{query}"))
        head = await self.client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Transfer-Encoding: chunked" in head
        await self._edge.until(lambda: self.taps() > 0)
        return self

    @staticmethod
    def taps() -> int:
        names = (type(handler).__name__ for handler in logging.getLogger().handlers)
        return sum(name == "LogTap" for name in names)

    async def line_with(self, text: bytes) -> bytes:
        return await self.client.read_until(text)


async def test_the_log_is_streamed_until_the_client_has_enough(edge: Edge) -> None:
    monitor = await Monitor(edge).open("?loglevel=debug")
    log.debug("one")
    await monitor.line_with(b"agent.test: one\n")
    await edge.ask("GET", "/v1/status/leader")
    assert b"Request finished: method=GET url=/v1/status/leader" in await monitor.line_with(
        b"/v1/status/leader"
    )
    monitor.client.close()
    await edge.until(lambda: monitor.taps() == 0)


async def test_the_log_is_streamed_as_json_too(edge: Edge) -> None:
    monitor = await Monitor(edge).open("?loglevel=warn&logjson")
    log.warning("careful")
    line = await monitor.line_with(b'"@message": "careful"')
    assert b'"@level": "warn"' in line


async def test_a_reader_that_does_not_read_harms_nobody(edge: Edge) -> None:
    monitor = await Monitor(edge).open()
    for _ in range(200):
        log.warning("%s", "x" * 10_000)
    for _ in range(20):
        await edge.ask("GET", "/v1/status/leader")
        for _ in range(200):
            log.warning("%s", "x" * 10_000)
    assert (await edge.ask("GET", "/v1/status/leader")).status == 200
    (tap,) = [
        handler for handler in logging.getLogger().handlers if type(handler).__name__ == "LogTap"
    ]
    assert getattr(tap, "dropped", 0) > 0
    monitor.client.close()
    await edge.until(lambda: monitor.taps() == 0)


async def test_a_stopping_server_ends_what_it_streams(edge: Edge) -> None:
    monitor = await Monitor(edge).open()
    await edge.server.stop()
    assert await monitor.client.is_closed()
    await edge.until(lambda: monitor.taps() == 0)


async def test_an_unknown_level_is_refused(edge: Edge) -> None:
    reply = await edge.ask("GET", "/v1/agent/monitor?loglevel=bogus")
    assert (reply.status, reply.text) == (400, "Bad request: Unknown log level: bogus")


async def test_a_reload_is_carried_out_or_its_fault_is_said(edge: Edge) -> None:
    read: list[str] = []
    edge.agent.reload = lambda: read.append("again")
    assert (await edge.ask("PUT", "/v1/agent/reload")).status == 200
    assert read == ["again"]

    def refuse() -> None:
        raise SettingsError("failed to parse agent.hcl")

    edge.agent.reload = refuse
    reply = await edge.ask("PUT", "/v1/agent/reload")
    assert (reply.status, reply.text) == (500, "failed to parse agent.hcl")


@pytest.mark.parametrize("path", ["host", "version"])
async def test_the_rest_is_json(edge: Edge, path: str) -> None:
    reply = await edge.ask("GET", f"/v1/agent/{path}")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert (b"HumanVersion" if path == "version" else b"CollectionTime") in reply.body

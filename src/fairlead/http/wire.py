"""HTTP/1.1 on one connection: parsing, limits, pipelining, answers in order.

Built on uvloop's transports and httptools' parser (docs/decisions/0001). A
connection serves one request at a time. What a client pipelines behind a
blocking read waits; a client that goes away cancels what it waits for.

A request without a body that was seen before, byte for byte, is not parsed
again: clients ask the same thing many times.

Rule: knows messages, not paths. What a request means is the app's business.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

import httptools

from fairlead.http.contracts import BodyLimit, Handler, Server
from fairlead.http.messages import TEXT, Deferred, Request, Response, render
from fairlead.http.params import EMPTY, Query
from fairlead.http.urls import decode_path, origin_form

__all__ = ["Connection"]

# Go's http.DefaultMaxHeaderBytes, which Consul keeps.
_HEAD_LIMIT_BYTES = 1024 * 1024
# How many pipelined requests may wait before the socket is read no further.
_PIPELINE_LIMIT = 32
# A refused body is read and thrown away this long, so that the client sees the answer.
_LINGER_S = 0.5
# Requests remembered by their bytes: how many, and how long they may be.
_KNOWN_LIMIT = 1024
_KNOWN_LIMIT_BYTES = 1024

_UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_active",
        "_body",
        "_body_limit",
        "_body_size",
        "_closing",
        "_completed",
        "_dawdles",
        "_drained",
        "_head_size",
        "_headers",
        "_mid_message",
        "_parser",
        "_paused",
        "_refused",
        "_request",
        "_started",
        "_stream",
        "_target",
        "_transport",
        "_waiting",
        "app",
        "client",
        "server",
    )

    _transport: asyncio.Transport

    def __init__(self, app: Handler, server: Server) -> None:
        self.app = app
        self.server = server
        self.client: Any = None
        self._parser: Any = None
        # the message that is being received
        self._mid_message = False
        self._dawdles = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_size = 0
        self._body: list[bytes] | None = None
        self._body_size = 0
        self._body_limit: BodyLimit | None = None
        self._completed: list[Request] | None = None
        # the request that is being served, and those behind it
        self._request: Request | None = None
        self._started = 0.0
        self._active: Deferred | None = None
        self._waiting: deque[Request] | None = None
        self._stream: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._refused = False
        self._closing = False

    # ---------------------------------------------------------------- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has no asyncio base
        self.client = transport.get_extra_info("peername")
        if not self.server.admit(self):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self.server.gone(self)
        if self._active is not None:
            self._active.cancel()
            self._active = None
        if self._stream is not None:
            self._stream.cancel()
        self._waiting = None

    def pause_writing(self) -> None:
        self._paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        self._transport.resume_reading()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._serve_waiting()

    def data_received(self, data: bytes) -> None:
        if self._mid_message:
            self._feed(data)
            return
        request = self.app.known.get(data)
        if request is not None and not (self._refused or self._closing):
            self._receive(request)
            return
        self._completed = []
        self._feed(data)
        completed, self._completed = self._completed, None
        if len(completed) == 1 and not self._mid_message:
            self._remember(data, completed[0])

    def _remember(self, data: bytes, request: Request) -> None:
        if request.body or request.method != "GET" or len(data) > _KNOWN_LIMIT_BYTES:
            return
        known = self.app.known
        if len(known) >= _KNOWN_LIMIT:
            known.clear()
        known[data] = request

    def _feed(self, data: bytes) -> None:
        if self._refused or self._closing:
            return
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except httptools.HttpParserError:
            self._refuse(Response(400, b"400 Bad Request", TEXT))
        if self._mid_message:
            self._check_head(len(data))

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Java's client offers h2c with its requests; they are read as if it did not."""
        lines = [b"%b %b HTTP/1.1" % (self._parser.get_method(), self._target)]
        for name, value in self._headers.items():
            if name not in _UPGRADE_HEADERS:
                lines.append(b"%b: %b" % (name, value))
        self._parser = None
        self._feed(b"\r\n".join([*lines, b"", rest]))

    def _check_head(self, size: int) -> None:
        """Part of a request came: its head may not be endless, nor the rest take forever."""
        if self._body is None:
            self._head_size += size
            if self._head_size > _HEAD_LIMIT_BYTES:
                self._refuse(Response(431, b"431 Request Header Fields Too Large", TEXT))
                return
        if not self._dawdles:
            self._dawdles = True
            self.server.half_sent(self)

    # ---------------------------------------------------------------- the parser

    def on_message_begin(self) -> None:
        self._mid_message = True
        self._target = b""
        self._headers = {}
        self._head_size = 0
        self._body = None

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        headers = self._headers
        if b"content-length" in headers or b"transfer-encoding" in headers:
            self._expect_body()

    def _expect_body(self) -> None:
        path = self._target.partition(b"?")[0].decode("latin-1")
        limit = self.app.body_limit(self._parser.get_method().decode("latin-1"), path)
        self._body, self._body_size, self._body_limit = [], 0, limit
        length = self._headers.get(b"content-length")
        if length is not None and int(length) > limit.limit_bytes:
            self._refuse(self.app.too_large(limit.error(int(length))))
        elif self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._refused or self._body is None or self._body_limit is None:
            return
        self._body.append(body)
        self._body_size += len(body)
        if self._body_size > self._body_limit.limit_bytes:
            self._body.clear()
            self._refuse(self.app.too_large(self._body_limit.error(None)))

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        self._mid_message = False
        if self._dawdles:
            self._dawdles = False
            self.server.whole(self)
        if self._refused or self._closing:
            return
        request = self._make_request()
        if request is None:
            self._refuse(Response(400, b"400 Bad Request", TEXT))
            return
        if self._completed is not None:
            self._completed.append(request)
        self._receive(request)

    def _make_request(self) -> Request | None:
        """The request that was received; None when its URL is none."""
        target = origin_form(self._target)
        raw_path, _, raw_query = target.partition(b"?")
        path = decode_path(raw_path)
        if not target or path is None:
            return None
        keep_alive = self._parser.should_keep_alive()
        if b"connection" in self._headers and self._parser.get_http_version() == "1.0":
            keep_alive = False
        request = Request(
            self._parser.get_method().decode("latin-1"),
            target,
            path,
            Query(raw_query) if raw_query else EMPTY,
            self._headers,
            keep_alive,
            b"".join(self._body) if self._body else b"",
        )
        self._body = None
        self.app.prepare(request)
        return request

    # ---------------------------------------------------------------- requests in turn

    def _receive(self, request: Request) -> None:
        if self._request is None and not self._paused:
            self._serve(request)
            return
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(request)
        if len(self._waiting) >= _PIPELINE_LIMIT:
            self._transport.pause_reading()

    def _serve(self, request: Request) -> None:
        self._request = request
        self._started = time.perf_counter()
        outcome = self.app.handle(request, self.client)
        if isinstance(outcome, Response):
            self._reply(outcome)
        else:
            self._active = outcome
            outcome.start(self._reply)

    def _reply(self, response: Response) -> None:
        request = self._request
        self._active = None
        if self._closing or self._refused or request is None:
            return
        self._transport.write(render(response, request, self.app.common_headers()))
        if response.stream is not None:
            self._stream = asyncio.create_task(self._send(response.stream))
        else:
            self._finish(request)

    def _finish(self, request: Request) -> None:
        self._request = None
        self.app.finished(request, self._started, self.client)
        if not request.keep_alive:
            self._close()
        elif self._waiting:
            self._serve_waiting()

    def _serve_waiting(self) -> None:
        waiting = self._waiting
        while waiting and self._request is None and not (self._paused or self._closing):
            if len(waiting) == _PIPELINE_LIMIT:
                self._transport.resume_reading()
            self._serve(waiting.popleft())

    async def _send(self, stream: Any) -> None:
        async for chunk in stream:
            self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            if self._paused:
                self._drained = asyncio.get_running_loop().create_future()
                await self._drained
        self._transport.write(b"0\r\n\r\n")
        self._stream = None
        if self._request is not None:
            self._finish(self._request)

    # ---------------------------------------------------------------- the end

    def turn_away(self, message: bytes) -> None:
        """Say why nothing this client sends will be read."""
        self._transport.write(message)

    def expire(self) -> None:
        """The rest of a half-sent request did not come in time."""
        self._refuse(Response(408, b"408 Request Timeout", TEXT))

    def shut(self) -> None:
        """The server stops."""
        if not self._closing:
            self._close()

    def _refuse(self, response: Response) -> None:
        """Answer and read no more: after this the connection means nothing."""
        if self._refused or self._closing:
            return
        self._refused = True
        self._mid_message = False
        self.server.whole(self)
        request = Request("", b"", "", keep_alive=False)
        if self._request is None:
            self._transport.write(render(response, request, self.app.common_headers()))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        self._closing = True
        self._transport.close()

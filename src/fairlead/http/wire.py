"""HTTP/1.1 on one connection: pipelining, answers in order, and its end.

Built on uvloop's transports (docs/decisions/0001). A connection serves one
request at a time. What a client pipelines behind a blocking read waits, a
refusal too; a client that goes away cancels what it waits for.

A request without a body that was seen before, byte for byte, is not parsed
again: clients ask the same thing many times.

Rule: knows messages, not paths. What a request means is the app's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import IO, Any

from fairlead.http.contracts import Handler, Server
from fairlead.http.incoming import Incoming, Turn
from fairlead.http.messages import TEXT, Deferred, Request, Response, render

__all__ = ["Connection"]

# How many pipelined requests may wait before the socket is read no further.
_PIPELINE_LIMIT = 32
# A refused body is read and thrown away this long, so that the client sees the answer.
_LINGER_S = 0.5
_STREAM_CHUNK_BYTES = 256 * 1024
# Requests remembered by their bytes: how many, and how long they may be.
_KNOWN_LIMIT = 1024
_KNOWN_LIMIT_BYTES = 1024


class Connection(asyncio.Protocol):
    """One client's connection."""

    __slots__ = (
        "_active",
        "_closing",
        "_dawdles",
        "_deaf",
        "_drained",
        "_incoming",
        "_mid_message",
        "_paused",
        "_request",
        "_started",
        "_stream",
        "_takes_turns",
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
        # what is received: nothing any more, once it is deaf
        self._incoming: Incoming | None = None
        self._mid_message = False
        self._dawdles = False
        self._deaf = False
        # the request that is being served, and what is said after it
        self._request: Request | None = None
        self._started = 0.0
        self._active: Deferred | None = None
        self._waiting: deque[Turn] | None = None
        self._takes_turns = False
        self._stream: asyncio.Task[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._closing = False

    # ---------------------------------------------------------------- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has no asyncio base
        self.client = transport.get_extra_info("peername")
        if not self.server.admit(self):
            self._close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
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
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._take_turns()

    def data_received(self, data: bytes) -> None:
        if self._mid_message:
            self._feed(data)
            return
        if self._deaf:
            return
        request = self.app.known.get(data)
        if request is not None:
            self._receive(request)
            return
        turns = self._feed(data)
        if len(turns) == 1 and not (self._mid_message or self._deaf):
            self._remember(data, turns[0])

    def _remember(self, data: bytes, turn: Turn) -> None:
        """Keep a request that `data` is made of, all of it."""
        if len(data) > _KNOWN_LIMIT_BYTES or not isinstance(turn, Request):
            return
        if turn.method == "GET" and not turn.is_framed:
            known = self.app.known
            if len(known) >= _KNOWN_LIMIT:
                known.clear()
            known[data] = turn

    def _feed(self, data: bytes) -> list[Turn]:
        incoming = self._incoming
        if incoming is None:
            incoming = self._incoming = Incoming(self.app)
        turns = incoming.feed(data)
        self._mid_message = incoming.mid_message
        self._deaf = incoming.ended
        if self._mid_message or self._dawdles:
            self._mind_time(moved_on=bool(turns))
        if len(turns) == 1 and isinstance(turns[0], Request):
            self._receive(turns[0])
        elif turns:
            for turn in turns:
                self._wait(turn)
            self._take_turns()
        return turns

    def _mind_time(self, moved_on: bool) -> None:
        """The rest of a half-sent request may not take forever."""
        if self._dawdles and (moved_on or not self._mid_message):
            self._dawdles = False
            self.server.whole(self)
        if self._mid_message and not self._dawdles:
            self._dawdles = True
            self.server.half_sent(self)

    # ---------------------------------------------------------------- requests in turn

    def _receive(self, request: Request) -> None:
        if self._request is None and not self._paused:
            self._serve(request)
        else:
            self._wait(request)

    def _wait(self, turn: Turn) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(turn)
        if len(self._waiting) >= _PIPELINE_LIMIT:
            self._transport.pause_reading()

    def _take_turns(self) -> None:
        """Serve what waits as far as it is answered at once, then read on if there is room."""
        if self._takes_turns:
            return  # a turn ended within the loop below, which goes on
        self._takes_turns = True
        waiting = self._waiting
        while waiting and self._request is None and not (self._paused or self._closing):
            turn = waiting.popleft()
            if isinstance(turn, Request):
                self._serve(turn)
            elif isinstance(turn, Response):
                self._say_last(turn)
            else:
                self._transport.write(turn)
        self._takes_turns = False
        is_full = waiting is not None and len(waiting) >= _PIPELINE_LIMIT
        if not (is_full or self._paused or self._closing):
            self._transport.resume_reading()

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
        if self._closing or request is None:
            if response.stream is not None:
                response.stream.close()
            return
        # Thousands of readers may get one answer: its bytes are made for the first of them.
        message = response.message if request.is_plain else b""
        self._transport.write(message or render(response, request, self.app.common_headers()))
        if response.stream is not None:
            self._stream = asyncio.create_task(self._send(request, response.stream))
            # Not in the task, which may be cancelled before it begins.
            self._stream.add_done_callback(functools.partial(self._sent, response.stream))
        elif response.live is not None:
            self._stream = asyncio.create_task(self._send_live(request, response.live))
        else:
            self._finish(request)

    def _finish(self, request: Request) -> None:
        self._request = None
        self.app.finished(request, self._started, self.client)
        if not request.keep_alive:
            self._close()
        elif self._waiting:
            self._take_turns()

    async def _send(self, request: Request, file: IO[bytes]) -> None:
        while chunk := file.read(_STREAM_CHUNK_BYTES):
            await self._send_chunk(request, chunk)
        self._end_stream(request)

    async def _send_live(self, request: Request, chunks: AsyncGenerator[bytes, None]) -> None:
        async with contextlib.aclosing(chunks):
            async for chunk in chunks:
                await self._send_chunk(request, chunk)
        self._end_stream(request)

    async def _send_chunk(self, request: Request, chunk: bytes) -> None:
        if request.takes_chunks:
            chunk = b"%x\r\n%b\r\n" % (len(chunk), chunk)
        self._transport.write(chunk)
        if self._paused:
            self._drained = asyncio.get_running_loop().create_future()
            await self._drained

    def _end_stream(self, request: Request) -> None:
        if request.takes_chunks:
            self._transport.write(b"0\r\n\r\n")
        self._stream = None
        self._finish(request)

    def _sent(self, file: IO[bytes], task: asyncio.Task[None]) -> None:
        file.close()
        if task is self._stream:
            self._close()  # it broke off: the client must not take what it has for the whole

    # ---------------------------------------------------------------- the end

    def turn_away(self, message: bytes) -> None:
        """Say why nothing this client sends will be read."""
        self._transport.write(message)

    def expire(self) -> None:
        """The rest of a half-sent request did not come in time."""
        self.server.whole(self)
        if self._request is not None or self._waiting:
            # It is not its turn yet, and perhaps it is we who do not read on.
            self.server.half_sent(self)
            return
        self._mid_message = False
        self._deaf = True
        self._wait(Response(408, b"408 Request Timeout", TEXT))
        self._take_turns()

    def shut(self) -> None:
        """The server stops."""
        if not self._closing:
            self._close()

    def _say_last(self, response: Response) -> None:
        """After this the connection means nothing."""
        request = Request("", b"", "", keep_alive=False)
        self._transport.write(render(response, request, self.app.common_headers()))
        if self._transport.can_write_eof():
            self._transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, self._close)

    def _close(self) -> None:
        self._end()
        self._transport.close()

    def _end(self) -> None:
        self._closing = self._deaf = True
        self._mid_message = False

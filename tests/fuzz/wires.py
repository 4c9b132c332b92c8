"""A `Connection` without a network: a transport that remembers, a server that admits, an echo.

The transport keeps to what uvloop's does: bytes written after `write_eof` are an
error, after `close` they are dropped; who paused reading is given nothing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from fairlead.http.contracts import BodyLimit
from fairlead.http.messages import Request, Response
from fairlead.http.wire import Connection
from tests.fuzz.answers import Asked

__all__ = ["LATER", "Admit", "Echo", "Wire", "converse"]

LATER = b"/later"
"""What begins with this is answered when `Echo.release` says so, not at once."""

ECHO_LIMIT_BYTES = 4096


class Wire(asyncio.Transport):
    """The client's end of a connection, held in the test's hand."""

    def __init__(self, connection: Connection, buffer_bytes: int) -> None:
        super().__init__()
        self.connection = connection
        self.written = bytearray()
        self._buffer_bytes = buffer_bytes
        self._room = buffer_bytes
        self._is_full = False
        self.reading = True
        self.eof = False
        self.closed = False
        self._unread: deque[bytes] = deque()
        connection.connection_made(self)

    def feed(self, data: bytes) -> None:
        """Let `data` arrive, as soon as it is wanted."""
        self._unread.append(data)
        self.flow()

    def flow(self) -> None:
        while self._unread and self.reading and not self.closed:
            self.connection.data_received(self._unread.popleft())

    def drain(self) -> None:
        """The client reads what was written so far."""
        self._room = self._buffer_bytes
        if self._is_full and not self.closed:
            self._is_full = False
            self.connection.resume_writing()

    def lose(self) -> None:
        """The client goes away."""
        self.closed = True
        self.connection.connection_lost(None)

    @property
    def is_starved(self) -> bool:
        """Whether bytes arrived that nobody will ever read."""
        return bool(self._unread) and not self.closed

    # ---------------------------------------------------------------- called by the connection

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 40000) if name == "peername" else default

    def write(self, data: Any) -> None:
        if self.eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self.closed:
            return
        self.written += data
        self._room -= len(data)
        if self._room < 0 and not self._is_full:
            self._is_full = True
            self.connection.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Admit:
    """A server that admits everybody."""

    def admit(self, connection: Connection) -> bool:
        return True

    def half_sent(self, connection: Connection) -> None: ...

    def whole(self, connection: Connection) -> None: ...

    def gone(self, connection: Connection) -> None: ...


class _Later:
    """An answer that waits for `Echo.release`."""

    def __init__(self, echo: Echo, response: Response) -> None:
        self._echo = echo
        self._response = response
        self._reply: Callable[[Response], None] | None = None

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        self._echo.parked.append(self)

    def release(self) -> None:
        reply, self._reply = self._reply, None
        if reply is not None:
            reply(self._response)

    def cancel(self) -> None:
        self._reply = None
        if self in self._echo.parked:
            self._echo.parked.remove(self)


class Echo:
    """Answers every request with what it understood of it."""

    def __init__(self) -> None:
        self.known: dict[bytes, Request] = {}
        self.asked: list[Asked] = []
        self.parked: list[_Later] = []

    def prepare(self, request: Request) -> None:
        request.plan = "prepared"

    def handle(self, request: Request, client: Any) -> Response | _Later:
        assert request.plan == "prepared", "a request is prepared before it is handled"
        self.asked.append(Asked(request.method.encode("latin-1")))
        understood = (request.method, request.target, sorted(request.headers.items()), request.body)
        response = Response(200, repr(understood).encode(), b"text/plain")
        if request.target.startswith(LATER):
            return _Later(self, response)
        return response

    def body_limit(self, method: str, path: str) -> BodyLimit:
        return BodyLimit(ECHO_LIMIT_BYTES)

    def too_large(self, error: Exception) -> Response:
        return Response(413, str(error).encode(), b"text/plain")

    def common_headers(self) -> bytes:
        return b"Date: today\r\n"

    def finished(self, request: Request, started: float, client: Any) -> None: ...

    def release(self) -> None:
        """Answer what waits, and what comes to wait by that, the first first."""
        while self.parked:
            self.parked.pop(0).release()


def converse(echo: Echo, chunks: Iterable[bytes], buffer_bytes: int = 1 << 30) -> Wire:
    """Send `chunks` over a new connection; after each, what waits is answered and read."""
    wire = Wire(Connection(echo, Admit()), buffer_bytes)
    for chunk in chunks:
        wire.feed(chunk)
        echo.release()
        wire.drain()
    while not wire.closed:
        before = len(wire.written), len(echo.asked)
        wire.flow()
        echo.release()
        wire.drain()
        if before == (len(wire.written), len(echo.asked)):
            break
    return wire

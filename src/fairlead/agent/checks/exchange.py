"""One HTTP/1.1 request and its answer, on a connection that is then closed.

Lean on purpose: 5 000 checks every 10 s must cost less than half a core, which
docs/decisions/0006-check-clients.md measures.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, cast

import httptools

from fairlead.agent.checks.capture import PACE_BYTES, PACE_S, Capture
from fairlead.agent.checks.dial import connect_words, join_host_port

__all__ = ["Answer", "Exchange", "ExchangeError"]

# Go allows 10 MB; what is checked sends a few hundred bytes.
_HEAD_LIMIT_BYTES = 256 * 1024
_SHOWN_LINE_BYTES = 256


class ExchangeError(Exception):
    """No answer; the text is Go's."""


class Answer(NamedTuple):
    """What was answered; `status_text` as in `200 OK`."""

    status: int
    status_text: str
    location: str | None


class Exchange(asyncio.Protocol):
    """Send the request with `start`, await `answer`; the body goes into the capture."""

    def __init__(self, capture: Capture, *, has_body: bool = True) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.head: Answer | None = None
        self._capture = capture
        self._has_body = has_body
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._first = b""
        self._reason = b""
        self._location: str | None = None
        self._received = 0
        self._until_rest = PACE_BYTES

    def start(self, transport: asyncio.Transport, request: bytes) -> None:
        self._transport = transport
        transport.write(request)

    def partial(self) -> Answer | None:
        """The answer whose body is still on its way, if there is one."""
        return self.head

    def close(self) -> None:
        """The answer is not awaited any more."""
        if self.answer.done():
            self.answer.cancelled() or self.answer.exception()
        else:
            self.answer.cancel()

    # ---------------------------------------------------------------- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not `isinstance`: uvloop's transports are asyncio's by their methods alone.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        if self.head is None:
            if len(self._first) < _SHOWN_LINE_BYTES:
                self._first += data[:_SHOWN_LINE_BYTES]
            self._received += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end()
        except httptools.HttpParserError:
            self._fail(self._malformed())
        if self.head is None and self._received > _HEAD_LIMIT_BYTES:
            limit = _HEAD_LIMIT_BYTES
            self._fail(f"net/http: server response headers exceeded {limit} bytes; aborted")
        self._until_rest -= len(data)
        if self._until_rest < 0 and self._transport is not None and not self.answer.done():
            self._until_rest = PACE_BYTES
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(PACE_S, self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.answer.done():
            return
        if self.head is not None:
            # A body that ends early, or that has no length; the status is what counts.
            self._end()
        elif isinstance(exc, OSError) and exc.errno:
            self._fail(f"read tcp {self._peer()}: read: {connect_words(exc)}")
        else:
            self._fail("unexpected EOF" if self._first else "EOF")

    def _peer(self) -> str:
        """Without our own end: its port would make each run's output another."""
        peer = self._transport and self._transport.get_extra_info("peername")
        return join_host_port(peer[0], peer[1]) if isinstance(peer, tuple) else "unix"

    def _fail(self, text: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ExchangeError(text))

    def _end(self) -> None:
        if not self.answer.done() and self.head is not None:
            self.answer.set_result(self.head)

    # ---------------------------------------------------------------- what the parser says

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 8 and name.lower() == b"location" and self._location is None:
            self._location = value.decode("utf-8", "replace")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            return
        self.head = Answer(status, self._status_text(status), self._location)
        if not self._has_body:
            self._end()

    def on_body(self, data: bytes) -> None:
        if self._has_body:
            self._capture.add(data)

    def on_message_complete(self) -> None:
        if self.head is None:  # an interim answer: the real one follows
            self._reason, self._location = b"", None
        self._end()

    def _status_text(self, status: int) -> str:
        if self._reason:
            return f"{status} {self._reason.decode('utf-8', 'replace')}"
        line = self._first_line()
        return f"{status} " if line.endswith(f" {status} ") else str(status)

    def _first_line(self) -> str:
        line = self._first[:_SHOWN_LINE_BYTES].split(b"\n", 1)[0]
        return line.removesuffix(b"\r").decode("utf-8", "replace")

    def _malformed(self) -> str:
        line = self._first_line()
        broken = "net/http: HTTP/1.x transport connection broken: "
        words = line.split(" ")
        if not line.startswith("HTTP/") or len(words) < 2:
            return f'{broken}malformed HTTP response "{line}"'
        if not (len(words[1]) == 3 and words[1].isdigit()):
            return f'{broken}malformed HTTP status code "{words[1]}"'
        return f"{broken}malformed MIME header"

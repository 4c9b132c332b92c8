"""Bytes to requests: what one connection receives, whole or in pieces.

httptools parses; limits, bodies, and upgrades that are not taken up are ours.
The same bytes give the same turns, however they are cut. The last turn of what
is no HTTP, or more than is allowed, is the answer to it.

Rule: nothing here writes, waits, or knows what a request means.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import httptools

from fairlead.http.contracts import BodyLimit, Handler
from fairlead.http.messages import TEXT, Request, Response
from fairlead.http.params import EMPTY, Query
from fairlead.http.urls import decode_path, origin_form

__all__ = ["Incoming", "Turn"]

Turn: TypeAlias = Request | Response | bytes
"""A request, the refusal of what was none, or an answer that only goes before one."""

# Go's http.DefaultMaxHeaderBytes, which Consul keeps.
_HEAD_LIMIT_BYTES = 1024 * 1024

_UPGRADE_HEADERS = frozenset({b"connection", b"upgrade", b"http2-settings"})
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD_REQUEST = Response(400, b"400 Bad Request", TEXT)


class _RefusedError(Exception):
    """Raised in the parser's callbacks, to end it."""

    def __init__(self, response: Response) -> None:
        self.response = response


class Incoming:
    """What comes on one connection.

    `mid_message` says that a request is half received; `ended`, that nothing
    after the turns so far will be understood.
    """

    __slots__ = (
        "_app",
        "_body",
        "_body_limit",
        "_body_size",
        "_head_size",
        "_headers",
        "_parser",
        "_target",
        "_turns",
        "ended",
        "mid_message",
    )

    def __init__(self, app: Handler) -> None:
        self._app = app
        self._parser: Any = httptools.HttpRequestParser(self)
        self._turns: list[Turn] = []
        self.ended = False
        # the message that is being received
        self.mid_message = False
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._head_size = 0
        self._body: list[bytes] | None = None
        self._body_size = 0
        self._body_limit: BodyLimit | None = None

    def feed(self, data: bytes) -> list[Turn]:
        """The turns that `data` completes."""
        turns = self._turns = []
        rest: bytes | memoryview = data
        while rest and not self.ended:
            offered = self._parse(rest)
            if not offered:
                break
            # Java's client offers h2c with its requests; they are read as if it did not.
            rest = memoryview(rest)[offered:]
            head = self._head_without_upgrade()
            self._parser = httptools.HttpRequestParser(self)
            self._parse(head)
        if self.mid_message:
            self._head_size += len(data)
            if self._head_size > _HEAD_LIMIT_BYTES:
                self._refuse(Response(431, b"431 Request Header Fields Too Large", TEXT))
        return turns

    def _parse(self, data: bytes | memoryview) -> int:
        """Parse; how far, when a head that offers an upgrade ends there, otherwise 0."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # What would come behind a CONNECT is no HTTP.
            if self._parser.get_method() != b"CONNECT":
                return int(upgrade.args[0])
            self._refuse(_BAD_REQUEST)
        except httptools.HttpParserCallbackError as error:
            reason = error.__context__
            if not isinstance(reason, _RefusedError):
                raise reason or error from None
            self._refuse(reason.response)
        except httptools.HttpParserError:
            self._refuse(_BAD_REQUEST)
        return 0

    def _head_without_upgrade(self) -> bytes:
        parser = self._parser
        version = parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (parser.get_method(), self._target, version)]
        for name, value in self._headers.items():
            if name not in _UPGRADE_HEADERS:
                lines.append(b"%b: %b" % (name, value))
        if not parser.should_keep_alive():
            lines.append(b"connection: close")
        return b"\r\n".join([*lines, b"", b""])

    def _refuse(self, response: Response) -> None:
        self.mid_message = False
        # Whatever follows a request that closes the connection, nobody answers it.
        if not self.ended:
            self.ended = True
            self._turns.append(response)

    # ---------------------------------------------------------------- called by the parser

    def on_message_begin(self) -> None:
        if self.ended:
            raise _RefusedError(_BAD_REQUEST)
        self.mid_message = True
        self._target = b""
        self._headers = {}
        self._head_size = 0
        self._body = None

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind a body is a trailer, which nobody asked for.
        if self._body is None:
            self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        headers = self._headers
        if b"content-length" in headers or b"transfer-encoding" in headers:
            self._expect_body()

    def _expect_body(self) -> None:
        if self._parser.should_upgrade():
            return  # this head comes again, without the offer
        path = self._target.partition(b"?")[0].decode("latin-1")
        limit = self._app.body_limit(self._parser.get_method().decode("latin-1"), path)
        self._body, self._body_size, self._body_limit = [], 0, limit
        # The parser has checked it; Python minds thousands of leading zeros.
        digits = self._headers.get(b"content-length", b"").strip().lstrip(b"0")
        length = int(digits or b"0")
        if length > limit.limit_bytes:
            raise _RefusedError(self._app.too_large(limit.error(length)))
        if self._headers.get(b"expect", b"").lower() == b"100-continue":
            self._tell_to_continue(has_body=length > 0 or b"transfer-encoding" in self._headers)

    def _tell_to_continue(self, has_body: bool) -> None:
        # HTTP/1.0 knows no interim answers (RFC 9110, 10.1.1).
        if has_body and self._parser.get_http_version() != "1.0":
            self._turns.append(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self._body is None or self._body_limit is None:
            return
        # From here on, what is no body counts as if it were a head: the trailer does.
        self._head_size = 0
        self._body.append(body)
        self._body_size += len(body)
        if self._body_size > self._body_limit.limit_bytes:
            self._body.clear()
            raise _RefusedError(self._app.too_large(self._body_limit.error(None)))

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            return
        self.mid_message = False
        request = self._make_request()
        if request is None:
            raise _RefusedError(_BAD_REQUEST)
        self.ended = not request.keep_alive
        self._turns.append(request)

    def _make_request(self) -> Request | None:
        """The request that was received; None when its URL or its version is none."""
        target = origin_form(self._target)
        raw_path, _, raw_query = target.partition(b"?")
        path = decode_path(raw_path)
        if not target or path is None:
            return None
        keep_alive = self._parser.should_keep_alive()
        is_old = False
        # Only with one of these can it be another version than 1.1.
        if not keep_alive or b"connection" in self._headers:
            version = self._parser.get_http_version()
            is_old = version == "1.0"
            if version not in ("1.0", "1.1"):
                return None
        request = Request(
            self._parser.get_method().decode("latin-1"),
            target,
            path,
            Query(raw_query) if raw_query else EMPTY,
            self._headers,
            keep_alive and not is_old,
            b"".join(self._body) if self._body else b"",
            takes_chunks=not is_old,
            is_framed=self._body is not None,
        )
        self._body = None
        self._app.prepare(request)
        return request

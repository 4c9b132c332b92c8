"""Requests and responses as handlers see them, and responses as bytes.

The headers are spelled as Consul's; names are case-insensitive for clients.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import IO, Any, Protocol

from msgspec import Struct

from fairlead.core.codec import encode_json
from fairlead.errors import FairleadError
from fairlead.http.params import EMPTY, Query
from fairlead.store import LEADING, Contact

__all__ = [
    "JSON",
    "TEXT",
    "DateHeader",
    "Deferred",
    "Request",
    "Response",
    "contact_headers",
    "empty",
    "error_response",
    "json_response",
    "render",
    "text_response",
]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"

# Below this a compressed body gains nothing: it fits into one packet as it is.
_GZIP_FROM_BYTES = 1400


class Request(Struct):
    """One request; `target` is the URL as sent, `path` its decoded path.

    A request without a body may be served many times, to several connections:
    nothing in it changes once the app has prepared it.
    """

    method: str
    target: bytes
    path: str
    query: Query = EMPTY
    headers: dict[bytes, bytes] = {}
    keep_alive: bool = True
    body: bytes = b""
    plan: Any = None  # the app's: what `App.prepare` found for it
    source: str = ""  # the node of the agent that forwarded it; empty when it came here
    is_relayed: bool = False  # by a server that takes this one for the leader
    takes_chunks: bool = True  # HTTP/1.0 knows none
    is_framed: bool = False  # it announced a body, if an empty one
    is_plain: bool = True  # an answer is sent whole, as it is, and the next one may follow

    def __post_init__(self) -> None:
        self.is_plain = (
            self.keep_alive and self.method != "HEAD" and b"accept-encoding" not in self.headers
        )


class Response(Struct):
    """One answer. `index` adds the three headers of an indexed read; a `stream` replaces the body.

    So does `live`, chunks that are sent as they come, until the client has enough.

    Whoever sends a stream closes it, and so does who drops it.
    `shared` says that many requests may get this very answer: its bytes are kept.
    """

    status: int = 200
    body: bytes = b""
    content_type: bytes = b""
    index: int = 0
    contact: Contact = LEADING
    headers: bytes = b""
    stream: IO[bytes] | None = None
    live: AsyncGenerator[bytes, None] | None = None
    shared: bool = False
    message: bytes = b""


def render(response: Response, request: Request, common: bytes) -> bytes:
    """The whole message, or its head when it has a stream; `common` are headers of all answers."""
    plain = request.is_plain
    if plain and response.message:
        return response.message
    body, headers = response.body, response.headers
    if response.index:
        headers = b"X-Consul-Index: %d\r\n%b%b" % (
            response.index,
            contact_headers(response.contact),
            headers,
        )
    if not plain:
        accepted = request.headers.get(b"accept-encoding", b"")
        if len(body) >= _GZIP_FROM_BYTES and b"gzip" in accepted:
            body = gzip.compress(body, 1)
            headers += b"Content-Encoding: gzip\r\n"
        if not request.keep_alive:
            headers += b"Connection: close\r\n"
    head = _head(response.status, response.content_type)
    if response.stream is not None or response.live is not None:
        coding = b"Transfer-Encoding: chunked\r\n" if request.takes_chunks else b""
        return b"%b%b%b%b\r\n" % (head, common, headers, coding)
    message = b"%b%b%bContent-Length: %d\r\n\r\n%b" % (head, common, headers, len(body), body)
    if plain:
        if response.shared:
            response.message = message
    elif request.method == "HEAD":
        # The length stays, for it is the one a GET would be told (RFC 9110, 9.3.2).
        return message[: len(message) - len(body)]
    return message


_STATUS_LINES = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_HEADS: dict[tuple[int, bytes], bytes] = {}


def _head(status: int, content_type: bytes) -> bytes:
    """The status line and the type; there are few of them."""
    head = _HEADS.get((status, content_type))
    if head is None:
        head = _STATUS_LINES[status]
        if content_type:
            head += b"Content-Type: %b\r\n" % content_type
        _HEADS[status, content_type] = head
    return head


_LEADING_HEADERS = b"X-Consul-Knownleader: true\r\nX-Consul-Lastcontact: 0\r\n"


def contact_headers(contact: Contact) -> bytes:
    """How fresh an answer is."""
    if contact is LEADING:
        return _LEADING_HEADERS
    known = b"true" if contact.known_leader else b"false"
    return b"X-Consul-Knownleader: %b\r\nX-Consul-Lastcontact: %d\r\n" % (known, contact.age_ms)


class Deferred(Protocol):
    """An answer that is not there yet."""

    def start(self, reply: Callable[[Response], None]) -> None:
        """Call `reply` once, later or at once."""

    def cancel(self) -> None:
        """Never call `reply`; free everything. Harmless after the reply."""


def json_response(value: Any, status: int = 200) -> Response:
    return Response(status, encode_json(value), JSON)


def text_response(text: str, status: int = 200) -> Response:
    return Response(status, text.encode("utf-8", "replace"), TEXT)


def error_response(error: FairleadError) -> Response:
    return Response(error.status, str(error).encode("utf-8", "replace"), TEXT)


def empty(status: int = 200) -> Response:
    return Response(status)


class DateHeader:
    """The Date header of answers, made once a second (RFC 9110, 6.6.1)."""

    __slots__ = ("_second", "value")

    def __init__(self) -> None:
        self._second = 0
        self.value = b""

    def is_due(self) -> bool:
        """Whether a second has passed since `value` was made; makes it anew."""
        second = int(time.time())
        if second == self._second:
            return False
        self._second = second
        stamp = time.strftime("%a, %d %b %Y %H:%M:%S", time.gmtime(second))
        self.value = f"Date: {stamp} GMT\r\n".encode()
        return True

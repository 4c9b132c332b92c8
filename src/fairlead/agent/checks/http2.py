"""One HTTP/2 connection, for one question: a call, or a ping.

The peer's flood is bounded by the flow-control window, which is never enlarged,
and by the pace its frames are taken at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from fairlead.agent.checks.capture import PACE_BYTES, PACE_S
from fairlead.agent.checks.contract import Means
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import HandshakeError, Secured, dial, split_host_port
from fairlead.errors import InvalidError

__all__ = ["Http2", "Http2Error", "Response", "TLSError", "connect"]

_PING = b"fairlead"


class Http2Error(Exception):
    """The connection broke, or the stream was reset."""


class TLSError(Exception):
    """There is a connection, but no HTTP/2 over TLS on it."""


class Response:
    """What came back on a stream: headers and trailers in one, and the body."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""


class Http2(asyncio.Protocol):
    """The client's side of a connection; `start` it, then `call` or `ping` once."""

    def __init__(self) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding=None)
        self._state = h2.connection.H2Connection(config)
        # Now, for a server may speak before `start`; what it is answered must come second.
        self._state.initiate_connection()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._response = Response()
        self._until_rest = PACE_BYTES
        self._end: asyncio.Future[None] = self._loop.create_future()

    def start(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._flush()

    async def ping(self) -> None:
        """Raises: Http2Error when it is not answered."""
        self._state.ping(_PING)
        self._flush()
        await self._end

    async def call(self, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
        """Raises: Http2Error when there is no answer."""
        stream = self._state.get_next_available_stream_id()
        self._state.send_headers(stream, list(headers))
        self._state.send_data(stream, body, end_stream=True)
        self._flush()
        await self._end
        return self._response

    def close(self) -> None:
        """Nothing is awaited any more."""
        if self._end.done():
            self._end.cancelled() or self._end.exception()
        else:
            self._end.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self._state.data_to_send())

    def _done(self, error: Http2Error | None = None) -> None:
        if self._end.done():
            return
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)

    # ---------------------------------------------------------------- the connection

    def data_received(self, data: bytes) -> None:
        if self._end.done():
            return
        try:
            for event in self._state.receive_data(data):
                self._take(event)
        except (h2.exceptions.ProtocolError, ValueError):
            # What speaks another protocol, as far as a client is concerned, hung up.
            self._done(Http2Error("connection closed"))
        self._flush()
        self._until_rest -= len(data)
        if self._until_rest < 0 and self._transport is not None:
            self._until_rest = PACE_BYTES
            self._transport.pause_reading()
            self._loop.call_later(PACE_S, self._go_on)

    def _go_on(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done(Http2Error("connection closed"))

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                for name, value in event.headers or ():
                    text = bytes(value).decode("utf-8", "replace")
                    self._response.headers[bytes(name).decode("latin-1")] = text
            case h2.events.DataReceived():
                self._response.body += event.data or b""
            case h2.events.PingAckReceived() if event.ping_data == _PING:
                self._done()
            case h2.events.StreamEnded():
                self._done()
            case h2.events.StreamReset():
                self._done(Http2Error("stream terminated by RST_STREAM"))
            case h2.events.ConnectionTerminated():
                self._done(Http2Error("connection closed"))


async def connect(
    target: str, check: CheckDefinition, means: Means, deadline: float, *, use_tls: bool
) -> Http2:
    """A connection that HTTP/2 has begun on; the caller closes it.

    Raises:
        DialError, TLSError: in Go's words. TimeoutError: nobody shook hands in time.
    """
    endpoint = split_host_port(target)
    try:
        tls = None
        if use_tls:
            context = means.contexts.context(verify=not check.tls_skip_verify, http2=True)
            tls = Secured(context, check.tls_server_name or endpoint.host)
        transport, http2 = await dial(Http2, endpoint, means.resolver, deadline, tls)
    except HandshakeError as error:
        if error.timed_out:
            raise TimeoutError from error
        raise TLSError(str(error)) from error
    except InvalidError as error:
        raise TLSError(str(error)) from error
    http2.start(transport)
    return http2

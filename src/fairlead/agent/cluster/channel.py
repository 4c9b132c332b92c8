"""Frames over one TCP connection, either end of a link.

Rule: knows frames, not what they mean. What cannot be read ends the connection.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from fairlead.agent.cluster.frames import (
    GREETING_LIMIT_BYTES,
    LIMIT_BYTES,
    BrokenFrameError,
    Decoder,
    Frame,
    encode,
)

__all__ = ["Channel", "End"]

# A peer that reads nothing while this much waits for it is let go.
_BACKLOG_LIMIT_BYTES = 64 * 1024 * 1024


class End(Protocol):
    """Whoever speaks over a channel."""

    def opened(self, channel: Channel) -> None: ...

    def received(self, frame: Frame) -> None:
        """Raises: BrokenFrameError, for a frame that cannot come now."""

    def closed(self, channel: Channel, reason: str) -> None:
        """The connection is gone; `reason` is empty when the peer ended it."""


class Channel(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self, end: End) -> None:
        self._end = end
        self._decoder = Decoder(GREETING_LIMIT_BYTES)
        self._reason = ""
        self.is_open = False
        self._drained: asyncio.Future[None] | None = None
        self.peer = "?"

    def trust(self) -> None:
        """The peer has proved who it is: longer frames may come."""
        self._decoder.limit_bytes = LIMIT_BYTES

    def send(self, frame: Frame) -> None:
        if not self.is_open:
            return
        self._transport.write(encode(frame))
        if self._transport.get_write_buffer_size() > _BACKLOG_LIMIT_BYTES:
            self.abort("it reads nothing")

    async def drain(self) -> None:
        """Wait until the peer has read most of what was sent."""
        if self._drained is not None:
            await self._drained

    def close(self) -> None:
        """Send what waits, then end."""
        if self.is_open:
            self.is_open = False
            self._transport.close()

    def abort(self, reason: str) -> None:
        """End at once."""
        if self.is_open:
            self.is_open = False
            self._reason = reason
            self._transport.abort()

    # ---------------------------------------------------------------- the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's has no asyncio base
        self.is_open = True
        name = transport.get_extra_info("peername")
        if isinstance(name, tuple):
            self.peer = f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"
        self._end.opened(self)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                if not self.is_open:
                    return
                self._end.received(frame)
        except BrokenFrameError as error:
            self.abort(str(error))

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        self._release()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._release()
        self._end.closed(self, self._reason)

    def _release(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

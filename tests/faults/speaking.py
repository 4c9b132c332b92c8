"""HTTP/1.1 over kept connections, where it matters whether a request was sent.

Nothing is ever repeated here: what a client was not told it does not know.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from tests.faults.history import FAIL, OK, UNKNOWN

__all__ = ["LostError", "NotSentError", "Reply", "Speaker", "outcome_of"]

_REFUSALS = (
    b"No cluster leader",
    b"nothing was written",
    b"another server leads",
    b"node is not the leader",
    b"rpc error getting client",
    b"cannot write to",
    b"No known Consul servers",
    b"invalid session",
    b"Invalid session",
    b"Session id",
    b"session not found",
)
"""What servers say when a request was certainly not carried out."""


class NotSentError(Exception):
    """No connection: nothing of the request reached the server."""


class LostError(Exception):
    """Sent, and no answer: it may have been carried out, or be carried out later."""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def index(self) -> int:
        return int(self.headers.get(b"x-consul-index") or 0)

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace").strip()[:200]


def outcome_of(reply: Reply) -> str:
    """What is known of a request that was answered so; 404 and 409 are answers too."""
    if reply.status < 300 or reply.status in (404, 409):
        return OK
    if reply.status < 500 or any(words in reply.body for words in _REFUSALS):
        return FAIL
    return UNKNOWN


class Speaker:
    """One client's connections, one to each address."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._kept: dict[str, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def ask(self, address: str, method: str, target: str, body: bytes = b"") -> Reply:
        """The answer of the server at `host:port`.

        Raises:
            NotSentError: it was not sent.
            LostError: it was, and was not answered.
        """
        kept = self._kept.pop(address, None)
        if kept is not None and kept[0].at_eof():
            kept[1].close()
            kept = None
        reader, writer = kept or await self._connect(address)
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                writer.write(head.encode() + body)
                reply = await _reply(reader)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            writer.close()
            raise LostError(type(error).__name__) from error
        except BaseException:
            writer.close()
            raise
        if reply.headers.get(b"connection", b"").lower() == b"close":
            writer.close()
        else:
            self._kept[address] = (reader, writer)
        return reply

    async def _connect(self, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(self._timeout_s / 4):
                return await asyncio.open_connection(host, int(port), limit=1 << 24)
        except (OSError, TimeoutError) as error:
            raise NotSentError(type(error).__name__) from error

    async def close(self) -> None:
        kept, self._kept = list(self._kept.values()), {}
        for _, writer in kept:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()


async def _reply(reader: asyncio.StreamReader) -> Reply:
    line = await reader.readuntil(b"\r\n")
    status = int(line.split()[1])
    headers: dict[bytes, bytes] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.partition(b":")
        headers[name.strip().lower()] = value.strip()
    if headers.get(b"transfer-encoding", b"") == b"chunked":
        return Reply(status, headers, await _chunks(reader))
    return Reply(status, headers, await reader.readexactly(int(headers.get(b"content-length", 0))))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        part = await reader.readexactly(size + 2)
        if size == 0:
            return b"".join(parts)
        parts.append(part[:-2])

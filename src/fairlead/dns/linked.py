"""Answers on an agent without a store: its server gives them, over the link."""

from __future__ import annotations

import logging

import msgspec

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.link import Link
from fairlead.dns.answering import Later, failure
from fairlead.errors import UnavailableError

__all__ = ["LinkedAnswerer"]

log = logging.getLogger("agent.dns")

_HEADER_BYTES = 12
_decode = msgspec.msgpack.Decoder(bytes | None).decode


class LinkedAnswerer:
    """Hands every question on; recursors are the server's."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def configure(self) -> None:
        """Nothing here depends on settings."""

    def answer(self, data: bytes, *, is_tcp: bool, source: str) -> bytes | Later | None:
        """What gives the answer later; None for what is no message at all."""
        return self._ask(data, is_tcp, source) if len(data) >= _HEADER_BYTES else None

    async def _ask(self, data: bytes, is_tcp: bool, source: str) -> bytes | None:
        try:
            answer = await self._link.call(
                lambda call: frames.Question(call, data, is_tcp, source), is_read=True
            )
        except UnavailableError as error:
            log.debug("a question reached no server: error=%s", error)
            return failure(data)
        if isinstance(answer, frames.Failed):
            return failure(data)
        made: bytes | None = _decode(answer.value)
        return made

"""What a server's links need of the HTTP edge, which they may not import."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import IO, Any, Protocol

from msgspec import Struct

__all__ = ["Edge", "Names", "Reply"]


class Reply(Struct):
    """An answer as it goes back over the link; a `stream` replaces the body, and is closed."""

    status: int
    content_type: bytes
    headers: bytes
    body: bytes
    stream: IO[bytes] | None = None


class Names(Protocol):
    """Answers the DNS messages that came to other agents: now, later, or not at all."""

    def __call__(
        self, data: bytes, is_tcp: bool, source: str
    ) -> bytes | Coroutine[Any, Any, bytes | None] | None: ...


class Edge(Protocol):
    """Answers the requests that came to other agents."""

    def limit_bytes(self, method: str, target: bytes) -> int:
        """How large a body this request may have."""

    def ask(
        self,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        source: str,
        reply: Callable[[Reply], None],
    ) -> Callable[[], None] | None:
        """Call `reply` once, now or later; what is returned cancels it.

        `source` is the node of the agent the request came to. Never raises.
        """

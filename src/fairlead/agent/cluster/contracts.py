"""What a server's links need of the edges and of its etcd, which they may not import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import IO, Any, Protocol

from msgspec import Struct

from fairlead.agent.cluster.frames import Gather, Gathered

__all__ = ["Admit", "Edge", "Names", "Reply"]

Admit = Callable[[Gather, bytes], Awaitable[Gathered]]
"""The answer to a server that looks for others, and was challenged with these bytes.

Raises DeniedError when it may not, BrokenFrameError when nobody could read it.
"""


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

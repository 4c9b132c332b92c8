"""What a server's links need of the edges and of its etcd, which they may not import."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import IO, Any, Protocol

from msgspec import Struct

from fairlead.agent.cluster.frames import Gather, Gathered
from fairlead.core.rows import MemberRow, NodeRow

__all__ = ["Admit", "Edge", "Members", "Names", "Reply"]

Admit = Callable[[Gather, bytes], Awaitable[Gathered]]
"""The answer to a server that looks for others, and was challenged with these bytes.

Raises DeniedError when it may not, BrokenFrameError when nobody could read it.
"""


class Reply(Struct):
    """An answer as it goes back over the link; a `stream` replaces the body, and is closed.

    `index` is that of the server which answered, at that time.
    """

    status: int
    content_type: bytes
    headers: bytes
    body: bytes
    stream: IO[bytes] | None = None
    index: int = 0


class Names(Protocol):
    """Answers the DNS messages that came to other agents: now, later, or not at all."""

    def __call__(
        self, data: bytes, is_tcp: bool, source: str
    ) -> bytes | Coroutine[Any, Any, bytes | None] | None: ...


class Members(Protocol):
    """Who keeps the members: this server when it leads, else the one that does."""

    @property
    def interval_s(self) -> float:
        """How often agents are to be heard of now."""

    async def join(self, node: NodeRow, member: MemberRow) -> None:
        """An agent is there. Raises: FairleadError, it cannot be taken in."""

    async def leave(self, name: str) -> None:
        """It goes for good."""

    def beat(self, key: str) -> None:
        """It was heard of."""

    def broke(self, key: str) -> None:
        """Its link broke."""

    def is_whole(self, key: str) -> bool:
        """Whether the tables say that it lives."""


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
        is_relayed: bool = False,
    ) -> Callable[[], None] | None:
        """Call `reply` once, now or later; what is returned cancels it.

        `source` is the node of the agent the request came to; `is_relayed` says that another
        server takes this one for the leader. Never raises.
        """

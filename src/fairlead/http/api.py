"""What handlers are given and what they return.

A handler is a function of the agent and the request. It returns a `Response`;
or a `Found`, which the app answers now or when it changes; it is a coroutine
of a `Response`, for what must wait for a commit; or a `Deferred`, for what waits otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.core.reads import Read
from fairlead.http.contracts import BodyLimit
from fairlead.http.messages import Deferred, Request, Response

__all__ = ["Found", "Handler", "Outcome", "Route"]


class Found(Struct, frozen=True):
    """A read, and how its value is answered (the app adds the index)."""

    read: Read
    render: Callable[[Any], Response]
    # Events have no order that indexes could follow: any other index is news.
    is_ordered: bool = True

    def is_news(self, index: int) -> bool:
        """Whether whoever has seen `index` has not seen this."""
        return self.read.index > index if self.is_ordered else self.read.index != index


Outcome: TypeAlias = Response | Found | Deferred | Coroutine[Any, Any, Response]
Handler: TypeAlias = Callable[[Agent, Request], Outcome]


class Route:
    """One row of the table: a path, and the handler of each method it takes.

    A path that ends in `/`, but for `/` itself, stands for everything below it. `options` says that
    the parameters every read shares are checked, though the handler may be a
    write; `datacenter`, that `?dc=` may name another one, which then answers; `local`,
    that a client answers it itself instead of asking its server; `is_leaders`, that the
    server that leads answers it, reads too; `is_any_servers`, that
    any server does, the leader or not.
    """

    __slots__ = (
        "allow",
        "body_limit",
        "datacenter",
        "handlers",
        "is_any_servers",
        "is_folder",
        "is_leaders",
        "local",
        "metric",
        "options",
        "path",
    )

    def __init__(
        self,
        path: str,
        handlers: dict[str, Handler],
        *,
        options: bool = True,
        datacenter: bool = True,
        local: bool = False,
        is_any_servers: bool = False,
        is_leaders: bool = False,
        body_limit: Callable[[Agent], BodyLimit] | None = None,
    ) -> None:
        self.path = path
        self.is_folder = path.endswith("/") and path != "/"
        self.handlers = handlers
        self.options = options
        self.datacenter = datacenter
        self.local = local
        self.is_any_servers = is_any_servers
        self.is_leaders = is_leaders
        self.body_limit = body_limit
        self.allow = ",".join(["OPTIONS", *handlers])
        self.metric = ".".join(part or "_" for part in path[1:].split("/"))

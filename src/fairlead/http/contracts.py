"""What a connection needs of the app and of the server it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from fairlead.errors import TooLargeError
from fairlead.http.messages import Deferred, Request, Response

if TYPE_CHECKING:
    from fairlead.http.wire import Connection

__all__ = ["BodyLimit", "Handler", "Server"]


class BodyLimit:
    """How large a body may be, and what to say of one that is larger."""

    __slots__ = ("limit_bytes", "more")

    def __init__(self, limit_bytes: int, more: str = "") -> None:
        self.limit_bytes = limit_bytes
        self.more = more

    def error(self, length: int | None) -> TooLargeError:
        """`length` is what the client announced, if it did."""
        announced = f"({length} bytes)" if length is not None else ""
        return TooLargeError(
            f"Request body{announced} too large, max size: {self.limit_bytes} bytes.{self.more}"
        )


class Server(Protocol):
    """What a connection belongs to: it counts connections and ends those that dawdle."""

    def admit(self, connection: Connection) -> bool: ...

    def half_sent(self, connection: Connection) -> None: ...

    def whole(self, connection: Connection) -> None: ...

    def gone(self, connection: Connection) -> None: ...


class Handler(Protocol):
    """The app, as a connection sees it; `known` are requests by their bytes."""

    known: dict[bytes, Request]

    def prepare(self, request: Request) -> None: ...

    def handle(self, request: Request, client: Any) -> Response | Deferred: ...

    def body_limit(self, method: str, path: str) -> BodyLimit: ...

    def too_large(self, error: TooLargeError) -> Response: ...

    def common_headers(self) -> bytes: ...

    def finished(self, request: Request, started: float, client: Any) -> None: ...

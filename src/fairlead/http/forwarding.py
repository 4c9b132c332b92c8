"""Requests from agent to agent: a client's to its server, and the server's answers to them.

What a client answers itself is marked in the table of routes (`Route.local`).
Everything else goes over the link as it came and the answer comes back as it
was given, its bytes and the headers of a read among them.

Rule: whose node "this agent's" is goes with the request (`Request.source`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote_from_bytes

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.calls import Call
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.link import Link
from fairlead.errors import FairleadError
from fairlead.http.contracts import Handler
from fairlead.http.messages import Deferred, Request, Response, contact_headers, error_response
from fairlead.http.params import EMPTY, Query
from fairlead.http.urls import decode_path

__all__ = ["FORWARDED", "Forwarded", "ForwardedEdge", "forward", "response_of"]

FORWARDED = object()
"""Stands for the client of a request that another agent has let in."""

# What a server may need of a request's headers.
_PASSED_ON = (b"x-consul-token", b"authorization", b"cache-control")
_NEAR_AGENT = b"near=_agent"


# ---------------------------------------------------------------- a client's side


def forward(agent: Agent, request: Request) -> Deferred:
    """The handler of every route that is not local, on a client."""
    assert agent.link is not None, "of a client"
    return Forwarded(agent.link, request)


class Forwarded:
    """An answer that a server gives."""

    __slots__ = ("_call", "_link", "_more", "_near", "_reply", "_request", "_source")

    _reply: Callable[[Response], None]

    def __init__(
        self,
        link: Link,
        request: Request,
        more: Sequence[tuple[bytes, bytes]] = (),
        near: str = "",
        source: str = "",
    ) -> None:
        """`more` are headers to add; `near` is the node that `near=_agent` means.

        With `source`, the agent it came to first, a server passes it on to the leader.
        """
        self._link = link
        self._more = more
        self._near = near or source or link.identity.node.node
        self._request = request
        self._source = source
        self._call: Call | None = None

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        request = self._request
        headers = [(name, request.headers[name]) for name in _PASSED_ON if name in request.headers]
        headers += self._more
        target = request.target
        if _NEAR_AGENT in target:
            node = quote_from_bytes(self._near.encode(), safe="")
            target = target.replace(_NEAR_AGENT, b"near=" + node.encode())
        self._call = self._link.ask(
            request.method, target, self.heard, headers, request.body, self._source
        )

    def cancel(self) -> None:
        """A read is taken back; a write goes on, for it may be half way."""
        if self._call is not None and self._request.method == "GET":
            self._link.cancel(self._call)

    @property
    def was_sent(self) -> bool:
        """Whether the server may have seen it."""
        return self._call is None or self._call.is_sent

    def heard(self, answer: Reply | FairleadError) -> None:
        self._reply(response_of(answer))


def response_of(answer: Reply | FairleadError) -> Response:
    """What came over a link, as a response."""
    if isinstance(answer, FairleadError):
        return error_response(answer)
    return Response(answer.status, answer.body, answer.content_type, headers=answer.headers)


# ---------------------------------------------------------------- a server's side


class ForwardedEdge:
    """Answers what other agents forward, with the same handlers as anybody's requests."""

    def __init__(self, app: Handler) -> None:
        self._app = app

    def limit_bytes(self, method: str, target: bytes) -> int:
        path = target.partition(b"?")[0].decode("latin-1")
        return self._app.body_limit(method, path).limit_bytes

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
        raw_path, _, raw_query = target.partition(b"?")
        path = decode_path(raw_path)
        if path is None:
            reply(Reply(400, b"text/plain; charset=utf-8", b"", b"400 Bad Request"))
            return None
        query = Query(raw_query) if raw_query else EMPTY
        request = Request(method, target, path, query, headers, True, body, source=source)
        request.is_relayed = is_relayed
        self._app.prepare(request)
        outcome = self._app.handle(request, FORWARDED)
        if isinstance(outcome, Response):
            reply(_reply(outcome))
            return None
        outcome.start(lambda response: reply(_reply(response)))
        return outcome.cancel


def _reply(response: Response) -> Reply:
    headers = response.headers
    if response.index:
        contact = contact_headers(response.contact)
        headers = b"X-Consul-Index: %d\r\n%b%b" % (response.index, contact, headers)
    return Reply(response.status, response.content_type, headers, response.body, response.stream)

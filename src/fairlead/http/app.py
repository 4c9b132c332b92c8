"""A request to its route, its handler and its answer; errors become statuses here only."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import time
from collections.abc import Callable, Coroutine
from html import escape
from typing import Any

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.errors import (
    DeniedError,
    FairleadError,
    InvalidError,
    TooLargeError,
)
from fairlead.http.api import Found, Handler, Outcome, Route
from fairlead.http.blocking import Parked, wait_seconds
from fairlead.http.contracts import BodyLimit
from fairlead.http.forwarding import FORWARDED, forward
from fairlead.http.leading import Confirmed, confirmed, led
from fairlead.http.messages import (
    JSON,
    TEXT,
    DateHeader,
    Deferred,
    Request,
    Response,
    empty,
    error_response,
)
from fairlead.http.params import DEFAULT_READ, ReadOptions
from fairlead.http.remote import remote
from fairlead.http.routes import ROUTES
from fairlead.http.urls import clean_path, encode_path
from fairlead.metrics import Sampler

__all__ = ["App"]

log = logging.getLogger("agent.http")

_DEFAULT_BODY_LIMIT = BodyLimit(512 * 1024)
_WRITES = frozenset({"PUT", "POST", "DELETE"})


class Plan(Struct, gc=False):
    """What to do with a request, worked out once from its method and URL."""

    handler: Handler
    reader: Handler
    options: ReadOptions = DEFAULT_READ
    sampler: Sampler | None = None
    pretty: bool = False


class App:
    """The whole HTTP surface of one agent."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.known: dict[bytes, Request] = {}
        self._exact = {route.path: route for route in ROUTES if not route.is_folder}
        self._families = _families(ROUTES)
        self._samplers = {
            (route.path, method): agent.metrics.sampler(f"http.{method}.{route.metric}")
            for route in ROUTES
            for method in route.handlers
        }
        self._date = DateHeader()
        self._common = b""
        self.configure()

    def configure(self) -> None:
        """Take over what a reload may change."""
        settings = self.agent.settings
        lines = [
            f"{name}: {value}\r\n".encode("latin-1", "replace")
            for name, value in settings.http_config_response_headers.items()
        ]
        self._extra = b"Vary: Accept-Encoding\r\n" + b"".join(lines)
        self._blocked = tuple(settings.http_config_block_endpoints)
        self._writers = [
            ipaddress.ip_network(cidr, strict=False)
            for cidr in settings.http_config_allow_write_http_from
        ]
        self._guarded = bool(self._blocked or self._writers)
        self._unprintable = settings.disable_http_unprintable_char_filter
        self._common = self._extra + self._date.value
        self.known.clear()

    # ---------------------------------------------------------------- called by connections

    def prepare(self, request: Request) -> None:
        """Work out the plan of a request."""
        try:
            request.plan = self._plan(request)
        except FairleadError as error:
            request.plan = _always(self._error(error))

    def handle(self, request: Request, client: Any) -> Response | Deferred:
        """The answer, or the promise of one. Never raises."""
        plan: Plan = request.plan
        try:
            if self._guarded and client is not FORWARDED:
                self._check_access(request, client)
            outcome = plan.handler(self.agent, request)
        except FairleadError as error:
            return self._error(error)
        except Exception:
            return self._bug(request)
        return self._settled(request, outcome)

    def settle(self, request: Request, handler: Handler) -> Response | Deferred:
        """What that handler makes of it, as `handle` would answer it. Never raises."""
        try:
            outcome = handler(self.agent, request)
        except FairleadError as error:
            return self._error(error)
        except Exception:
            return self._bug(request)
        return self._settled(request, outcome)

    def _settled(self, request: Request, outcome: Outcome) -> Response | Deferred:
        if isinstance(outcome, Found):
            return self.answer_or_park(request, outcome)
        if isinstance(outcome, Response):
            return _pretty(outcome) if request.plan.pretty else outcome
        if isinstance(outcome, Coroutine):
            return _Running(self, request, outcome)
        return outcome

    def answer_or_park(
        self, request: Request, found: Found, *, waits: bool = True
    ) -> Response | Deferred:
        """Answer a read, unless it is to wait for something newer."""
        options = request.plan.options
        if waits and options.index and not found.is_news(options.index):
            return Parked(
                self, request, found, options.index, wait_seconds(self.agent, options.wait_ns)
            )
        return self.answer(request, found)

    def body_limit(self, method: str, path: str) -> BodyLimit:
        """How large a body this path takes."""
        route = self._find(path)
        if route is None or route.body_limit is None:
            return _DEFAULT_BODY_LIMIT
        return route.body_limit(self.agent)

    def too_large(self, error: TooLargeError) -> Response:
        """The answer to a body that is over its limit."""
        return self._error(error)

    def common_headers(self) -> bytes:
        """The headers of every answer, made once a second."""
        if self._date.is_due():
            self._common = self._extra + self._date.value
        return self._common

    def finished(self, request: Request, started: float, client: Any) -> None:
        """Count and log an answer that was sent."""
        elapsed_ms = (time.perf_counter() - started) * 1000
        sampler = request.plan.sampler
        if sampler is not None:
            sampler.add(elapsed_ms)
        if log.isEnabledFor(logging.DEBUG):
            log.debug(
                "Request finished: method=%s url=%s from=%s latency=%.3fms",
                request.method,
                request.target.decode("latin-1"),
                f"{client[0]}:{client[1]}" if isinstance(client, tuple) else "unix",
                elapsed_ms,
            )

    # ---------------------------------------------------------------- called by parked reads

    def read(self, request: Request) -> Found | Response | Deferred:
        """What a read finds now; an error is a response."""
        try:
            outcome: Outcome = request.plan.reader(self.agent, request)
        except FairleadError as error:
            return self._error(error)
        except Exception:
            return self._bug(request)
        return outcome if isinstance(outcome, Found) else self._settled(request, outcome)

    def expire(self, request: Request, reply: Callable[[Response], None]) -> None:
        """The time of a parked read is over: what it finds now is its answer."""
        Confirmed(self, request, quorum=False, waits=False).answer_now(reply)

    def answer(self, request: Request, found: Found) -> Response:
        """A read's answer with its index."""
        read = found.read
        response = found.render(read.value)
        if not found.is_ordered:
            response.headers += b"X-Consul-Index: %d\r\n" % read.index
            return _pretty(response) if request.plan.pretty else response
        response.index = read.index
        if request.plan.options.stale:
            response.contact = self.agent.store.contact
        return _pretty(response) if request.plan.pretty else response

    # ---------------------------------------------------------------- plans

    def _plan(self, request: Request) -> Plan:
        odd = self._odd_path(request)
        if odd is not None:
            return _always(odd)
        path, query = request.path, request.query
        route = self._find(path)
        if route is None:
            folder = self._folder(path)
            return _always(_moved(request, folder) if folder else empty(404))
        handler = route.handlers.get(request.method)
        if handler is None:
            return _always(_other_method(request, route))
        options, is_remote = DEFAULT_READ, False
        if query:
            if query.is_broken:
                raise InvalidError("the query of the URL holds a broken % escape")
            options = query.read_options() if route.options else query.stale_option()
            is_remote = self._is_remote(route, query.get("dc"))
        sampler = self._samplers[route.path, request.method]
        if self.agent.link is not None and not route.local:
            return Plan(forward, forward, sampler=sampler)
        if is_remote:
            return Plan(remote, remote, sampler=sampler)
        asked = self._asked(route, request, handler, options)
        return Plan(asked, handler, options, sampler, "pretty" in query)

    def _asked(
        self, route: Route, request: Request, handler: Handler, options: ReadOptions
    ) -> Handler:
        """The handler, with what it takes where several servers share the state."""
        if self.agent.link is not None or self.agent.store.following is None:
            return handler
        if route.local or route.is_any_servers:
            return handler
        if request.method != "GET" or route.is_leaders:
            return led(self, handler)
        if options.stale and self.agent.store.is_open:
            return handler
        return confirmed(self, handler, quorum=options.consistent, stale=options.stale)

    def _find(self, path: str) -> Route | None:
        route = self._exact.get(path)
        if route is not None:
            return route
        for route in self._families.get(path[: path.find("/", 4) + 1], ()):
            if path.startswith(route.path):
                return route
        return None

    def _odd_path(self, request: Request) -> Response | None:
        """What Go's mux and Consul's filter do to paths before any route sees them."""
        path = request.path
        if not path.isprintable():
            try:
                path.encode()
            except UnicodeEncodeError:
                raise InvalidError("the path is not valid UTF-8") from None
            if not self._unprintable:
                return empty(400)
        if "//" in path or "/." in path:
            clean = clean_path(path)
            if clean != path:
                return _moved(request, self._folder(clean) or clean)
        return None

    def _folder(self, path: str) -> str | None:
        """The path with the slash it lacks, where there is a route for all below it only."""
        route = self._find(f"{path}/")
        return route.path if route is not None and route.path == f"{path}/" else None

    def _is_remote(self, route: Route, datacenter: str) -> bool:
        """Whether another datacenter is to answer."""
        minds = route.datacenter and not route.local
        return minds and bool(datacenter) and datacenter != self.agent.settings.datacenter

    # ---------------------------------------------------------------- errors

    def _check_access(self, request: Request, client: Any) -> None:
        if request.path.startswith(self._blocked):
            raise DeniedError("Endpoint is blocked by agent configuration")
        if request.method in _WRITES and self._writers and isinstance(client, tuple):
            address = ipaddress.ip_address(client[0].partition("%")[0])
            if not any(address in network for network in self._writers):
                raise DeniedError("Access is restricted")

    def _error(self, error: FairleadError) -> Response:
        return error_response(error)

    def _bug(self, request: Request) -> Response:
        log.exception("a request failed: method=%s url=%r", request.method, request.target)
        return Response(500, b"internal error: see the agent's log", TEXT)


class _Running:
    """An answer that a coroutine works out."""

    __slots__ = ("_app", "_coroutine", "_request", "_task")

    def __init__(
        self, app: App, request: Request, coroutine: Coroutine[Any, Any, Response]
    ) -> None:
        self._app = app
        self._request = request
        self._coroutine = coroutine
        self._task: asyncio.Task[None] | None = None

    def start(self, reply: Callable[[Response], None]) -> None:
        self._task = asyncio.create_task(self._run(reply))

    async def _run(self, reply: Callable[[Response], None]) -> None:
        app, request = self._app, self._request
        try:
            response = await self._coroutine
            if request.plan.pretty:
                response = _pretty(response)
        except FairleadError as error:
            response = app._error(error)
        except Exception:
            response = app._bug(request)
        self._task = None
        reply(response)

    def cancel(self) -> None:
        """Whoever asked has gone: a write goes on, for it may be half way."""


def _families(routes: tuple[Route, ...]) -> dict[str, list[Route]]:
    """The routes that end in `/`, by their first two segments, the longest first."""
    families: dict[str, list[Route]] = {}
    for route in sorted(routes, key=lambda route: -len(route.path)):
        if route.is_folder:
            family = route.path[: route.path.find("/", 4) + 1]
            families.setdefault(family, []).append(route)
    return families


def _always(response: Response) -> Plan:
    """The plan of a request whose answer depends on nothing but its URL."""

    def handler(agent: Agent, request: Request) -> Response:
        return response

    return Plan(handler, handler)


def _other_method(request: Request, route: Route) -> Response:
    headers = b"Allow: %b\r\n" % route.allow.encode()
    if request.method == "OPTIONS":
        return Response(200, headers=headers)
    text = f"method {request.method} not allowed"
    return Response(405, text.encode(), TEXT, headers=headers)


def _moved(request: Request, path: str) -> Response:
    location = encode_path(path)
    query = request.target.partition(b"?")[2]
    if query:
        location += "?" + query.decode("latin-1")
    headers = b"Location: %b\r\n" % location.encode()
    if request.method != "GET":
        return Response(301, headers=headers)
    body = f'<a href="{escape(location)}">Moved Permanently</a>.\n\n'.encode()
    return Response(301, body, b"text/html; charset=utf-8", headers=headers)


def _pretty(response: Response) -> Response:
    """The same answer, indented by four spaces."""
    if response.content_type == JSON:
        value = json.loads(response.body)
        response.body = json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n"
    return response

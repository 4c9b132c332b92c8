"""Requests that come to one server of several: what the leader must decide, or confirm.

A write goes to the leader, and is answered when the memory here has it too. A read
that is not `?stale` waits until the leader has said which index it must see
(`agent/cluster/leadership.py`), then it is answered from the memory here, so
that followers carry the load of reads. Without a leader both wait a while for one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.leadership import Leadership
from fairlead.errors import DeposedError, FairleadError
from fairlead.http.api import Found, Handler, Outcome
from fairlead.http.forwarding import Forwarded, response_of
from fairlead.http.messages import Deferred, Request, Response, error_response
from fairlead.store import NO_LEADER

if TYPE_CHECKING:
    from fairlead.http.app import App

__all__ = ["Confirmed", "confirmed", "led"]

_CATCH_UP_S = 2.0


def led(app: App, handler: Handler) -> Handler:
    """The handler of a write, on a server that may not lead."""

    def handle(agent: Agent, request: Request) -> Outcome:
        if agent.store.may_answer:
            return handler(agent, request)
        return _Led(app, request, handler)

    return handle


def confirmed(app: App, handler: Handler, *, quorum: bool, stale: bool = False) -> Handler:
    """The handler of a read that must see all that was committed.

    One that need not (`stale`) waits all the same while there is nothing to read.
    """

    def handle(agent: Agent, request: Request) -> Outcome:
        store = agent.store
        if (store.may_answer and not quorum) or (stale and store.is_open):
            return handler(agent, request)
        return Confirmed(app, request, quorum=quorum)

    return handle


def _leadership(app: App) -> Leadership:
    cluster = app.agent.cluster
    assert isinstance(cluster, ServerCluster), "a client has no store"
    assert cluster.leadership is not None, "one server leads for good"
    return cluster.leadership


class Confirmed:
    """A read that waits for the leader's word; with `waits`, it may then be parked."""

    __slots__ = ("_app", "_inner", "_quorum", "_reply", "_request", "_waits", "_word")

    def __init__(self, app: App, request: Request, *, quorum: bool, waits: bool = True) -> None:
        self._app = app
        self._request = request
        self._quorum = quorum
        self._waits = waits
        self._inner: Deferred | None = None
        self._word: asyncio.Future[None] | None = None
        self._reply: Callable[[Response], None] | None = None

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        self._word = _leadership(self._app).confirm(quorum=self._quorum)
        self._word.add_done_callback(self._heard)

    def answer_now(self, reply: Callable[[Response], None]) -> None:
        """As `start`; without delay where nobody else can know more, or need not be asked."""
        store, options = self._app.agent.store, self._request.plan.options
        self._reply = reply
        if store.may_answer or (options.stale and store.is_open):
            self._answer()
        else:
            self.start(reply)

    def cancel(self) -> None:
        self._reply = None
        if self._word is not None:
            self._word.cancel()
        if self._inner is not None:
            self._inner.cancel()

    def _heard(self, word: asyncio.Future[None]) -> None:
        if self._reply is None or word.cancelled():
            return
        error = word.exception()
        if isinstance(error, FairleadError):
            self._reply(error_response(error))
            return
        self._answer()

    def _answer(self) -> None:
        reply, app, request = self._reply, self._app, self._request
        assert reply is not None, "it was not cancelled"
        outcome: Response | Found | Deferred = app.read(request)
        if isinstance(outcome, Found):
            outcome = app.answer_or_park(request, outcome, waits=self._waits)
        if isinstance(outcome, Response):
            reply(outcome)
            return
        self._inner = outcome
        outcome.start(reply)


class _Led:
    """A write that another server may have to decide."""

    __slots__ = ("_app", "_handler", "_reply", "_request", "_tasks")

    _reply: Callable[[Response], None]

    def __init__(self, app: App, request: Request, handler: Handler) -> None:
        self._app = app
        self._request = request
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        if self._request.is_relayed:
            # Whoever sent it finds the leader better than this server does.
            reply(error_response(DeposedError(NO_LEADER)))
            return
        if _leadership(self._app).link.is_up:
            self._forward()
        else:
            self._start_task(self._find())

    def cancel(self) -> None:
        """Whoever asked has gone: a write goes on, for it may be half way."""

    async def _find(self) -> None:
        """Wait for a leader, and have it decide."""
        app, request = self._app, self._request
        try:
            is_here = await _leadership(app).ready()
        except FairleadError as error:
            self._reply(error_response(error))
            return
        if not is_here:
            self._forward()
            return
        outcome = app.settle(request, self._handler)
        if isinstance(outcome, Response):
            self._reply(outcome)
        else:
            outcome.start(self._reply)

    def _forward(self) -> None:
        agent, request = self._app.agent, self._request
        source = request.source or agent.node.node
        forwarded = _ToLeader(_leadership(self._app).link, request, source=source)
        forwarded.answered = self._answered
        forwarded.start(self._reply)

    def _answered(self, forwarded: Forwarded, answer: Reply | FairleadError) -> None:
        if isinstance(answer, Reply):
            self._start_task(self._catch_up(answer))
        elif forwarded.was_sent:
            self._reply(error_response(answer))
        else:
            # The leader went before it saw this: another one will.
            self._start_task(self._find())

    async def _catch_up(self, answer: Reply) -> None:
        """Answer once a `?stale` read here sees it too."""
        following = self._app.agent.store.following
        assert following is not None, "there are several servers"
        response = response_of(answer)
        if answer.index > self._app.agent.store.state.index:
            # It is committed: if that takes long, only this server is behind.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CATCH_UP_S):
                    await following.reached(answer.index)
        self._reply(response)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _ToLeader(Forwarded):
    """A request on its way to the leader."""

    __slots__ = ("answered",)

    answered: Callable[[Forwarded, Reply | FairleadError], None]

    def heard(self, answer: Reply | FairleadError) -> None:
        self.answered(self, answer)

"""Blocking reads: `?index=` and `?wait=`, the loop every read shares.

A read answers at once when its index is above the one asked for. Otherwise it
is parked under what it was made from, woken by exactly those changes, and
answered when its index has moved or its time is over.
Source: Consul's page "Blocking queries"; times as observed on 1.8.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from fairlead.agent.agent import Agent
from fairlead.core.reads import Watch
from fairlead.durations import SECOND_NS
from fairlead.http.api import Found
from fairlead.http.messages import Deferred, Request, Response
from fairlead.watches import Round

__all__ = ["JITTER", "Parked", "Reader", "wait_seconds"]

JITTER = 16
"""Up to a 16th of the time is added to it, so that clients do not return all at once."""


def wait_seconds(agent: Agent, wait_ns: int) -> float:
    """How long a blocking read may take; 0 asks for the default time."""
    settings = agent.settings
    wait_ns = min(wait_ns or settings.default_query_time, settings.max_query_time)
    wait = wait_ns / SECOND_NS
    return wait + agent.clock.jitter(wait / JITTER)


class Reader(Protocol):
    """The app, as a parked read sees it."""

    agent: Agent

    def read(self, request: Request) -> Found | Response | Deferred:
        """What the read finds now; an error is a response."""

    def answer(self, request: Request, found: Found) -> Response: ...

    def expire(self, request: Request, reply: Callable[[Response], None]) -> None:
        """Answer with what the read finds now, and what no other server knows better."""


class Parked:
    """A read that waits for its index to move."""

    is_reader = True

    __slots__ = ("_index", "_reader", "_reply", "_request", "_timer", "watches")

    watches: tuple[Watch, ...]
    _reply: Callable[[Response], None]

    def __init__(
        self, reader: Reader, request: Request, found: Found, index: int, wait: float
    ) -> None:
        self._reader = reader
        self._request = request
        self._index = index
        self.watches = found.read.watches
        self._timer: asyncio.TimerHandle | None = asyncio.get_running_loop().call_later(
            wait, self._expire
        )

    def start(self, reply: Callable[[Response], None]) -> None:
        self._reply = reply
        self._reader.agent.store.watches.add(self)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._reader.agent.store.watches.discard(self)

    def wake(self, round_: Round) -> None:
        """Answer if the index has moved; equal questions of a round share one answer."""
        question = self._request.target
        response = round_.answers.get(question)
        if response is None:
            found = self._reader.read(self._request)
            if isinstance(found, Response):
                response = found
            elif not isinstance(found, Found):
                raise AssertionError("a read that once was no read")
            elif found.is_news(self._index):
                response = self._reader.answer(self._request, found)
                response.shared = True
                round_.answers[question] = response
            else:
                self.watches = found.read.watches
                self._reader.agent.store.watches.add(self)
                return
        assert self._timer is not None, "a cancelled read is not woken"
        self._timer.cancel()
        self._timer = None
        self._reply(response)

    def _expire(self) -> None:
        self._timer = None
        self._reader.agent.store.watches.discard(self)
        self._reader.expire(self._request, self._reply)

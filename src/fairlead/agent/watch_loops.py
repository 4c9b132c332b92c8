"""The watches of the agent's configuration: one loop each asks, waits, and has news handled.

They ask as any client would, through whatever the composition root gives them,
so that an agent without a store watches through its server.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from fairlead.agent.tasks import Tasks
from fairlead.agent.watch_handlers import Handler, handler_of
from fairlead.clock import Clock
from fairlead.errors import FairleadError, UnavailableError
from fairlead.settings.watches import WatchDefinition
from fairlead.watch_plans import Follower, Plan

__all__ = ["Answer", "Ask", "WatchLoops"]

log = logging.getLogger("agent.watch")

# Consul's; its square with the number of failures in a row.
_RETRY_S = 5.0
_RETRY_MAX_S = 180.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read was answered."""

    status: int
    index: int
    body: bytes


Ask = Callable[[str, str], Awaitable[Answer]]
"""A GET: of a target, with a token."""


class WatchLoops:
    """All watches of one agent."""

    def __init__(self, ask: Ask, clock: Clock, *, retry_s: float = _RETRY_S) -> None:
        self._ask = ask
        self._clock = clock
        self._retry_s = retry_s
        self._running: list[tuple[WatchDefinition, Tasks]] = []
        self._ending: set[asyncio.Task[None]] = set()

    def take_over(self, definitions: list[WatchDefinition]) -> None:
        """Run these and no others; those that ran before and are the same go on."""
        left, kept = list(definitions), []
        for definition, tasks in self._running:
            if definition in left:
                left.remove(definition)
                kept.append((definition, tasks))
            else:
                ending = asyncio.create_task(tasks.stop())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
        self._running = kept
        for definition in left:
            tasks = Tasks()
            tasks.start(f"watch-{definition.plan.kind}", functools.partial(self._run, definition))
            self._running.append((definition, tasks))

    async def stop(self) -> None:
        """End them all, and what they run."""
        self.take_over([])
        await asyncio.gather(*self._ending)

    async def _run(self, definition: WatchDefinition) -> None:
        plan, handler = definition.plan, handler_of(definition, self._clock)
        follower = Follower(plan)
        failures = 0
        while True:
            try:
                index, news = await self._next(plan, follower, definition.token)
            except FairleadError as error:
                failures += 1
                follower.forget_index()
                pause_s = min(self._retry_s * failures**2, _RETRY_MAX_S)
                log.error('Watch errored: type=%s error="%s" retry=%gs', plan.kind, error, pause_s)
                await asyncio.sleep(pause_s)
                continue
            failures = 0
            await _handle(handler, news, index)

    async def _next(self, plan: Plan, follower: Follower, token: str) -> tuple[int, bytes]:
        """Wait for news.

        Raises:
            FairleadError: the agent cannot say.
        """
        while True:
            answer = await self._ask(_target(plan, follower), token)
            if answer.status not in (200, 404):
                text = answer.body.decode("utf-8", "replace").strip()
                raise UnavailableError(f"Unexpected response code: {answer.status} ({text})")
            value = json.loads(answer.body) if answer.status == 200 else None
            is_news, value = follower.take(answer.index, value)
            if is_news:
                return answer.index, _encoded(value)


def _target(plan: Plan, follower: Follower) -> str:
    given = {name: value for name, value in follower.params.items() if value is not None}
    query = urlencode(given, doseq=True)
    return quote(plan.path, safe="/:@!$&'()*,;=-._~") + (f"?{query}" if query else "")


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


async def _handle(handler: Handler, news: bytes, index: int) -> None:
    handled = await handler.run(news, index)
    if handled.fault:
        told = f" output={handled.output!r}" if handled.output else ""
        log.error(
            'Failed to run watch handler: watch_handler="%s" error="%s"%s',
            handler.name,
            handled.fault,
            told,
        )
    else:
        log.debug(
            'watch handler output: watch_handler="%s" output=%r', handler.name, handled.output
        )

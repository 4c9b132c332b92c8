"""What other datacenters answer: names of theirs, and queries that find nothing here.

A question about a name of theirs is handed on as it came, and they answer it by
their own `dns_config`. A datacenter that nobody knows has no names; one that
cannot be reached makes the question fail, so that a client asks again.
Source: 1.8.7 as observed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from fairlead.agent.agent import Agent
from fairlead.agent.cluster import frames
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.cluster.wan.failover import fail_over
from fairlead.agent.cluster.wan.link import WanLink
from fairlead.core.rows import QueryRow
from fairlead.core.state import State
from fairlead.dns import wire
from fairlead.dns.results import Found, QueryFinder
from fairlead.dns.wire import SERVFAIL, Question
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["Elsewhere"]

log = logging.getLogger("agent.dns")

_PATIENCE_S = 3.0
"""Resolvers ask again after some 5 s."""


class Elsewhere:
    """The other datacenters, as a server asks them."""

    def __init__(self, agent: Agent) -> None:
        assert isinstance(agent.cluster, ServerCluster), "a client asks its server"
        self._wan = agent.cluster.wan
        self._own = agent.settings.datacenter

    def ask(
        self, datacenter: str, data: bytes, question: Question, source: str
    ) -> Coroutine[Any, Any, bytes | None] | None:
        """What gives its answer; None where no such datacenter is known."""
        try:
            path = self._wan.path(datacenter)
        except UnavailableError:
            return None
        return self._asked(path, data, question, source)

    async def _asked(
        self, path: WanLink, data: bytes, question: Question, source: str
    ) -> bytes | None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                answer = await path.call(
                    lambda call: frames.Question(call, data, question.is_tcp, source), is_read=True
                )
        except (FairleadError, TimeoutError) as error:
            log.debug("no answer: datacenter=%s error=%s", path.datacenter, error)
            return wire.refusal(data, SERVFAIL)
        if isinstance(answer, frames.Failed):
            return wire.refusal(data, SERVFAIL)
        made: bytes | None = frames.decode_value(answer.value, bytes | None)
        return made

    async def finder(self, query: QueryRow, find_here: QueryFinder) -> QueryFinder:
        """Finds what `query` found elsewhere, instead of what `find_here` does."""
        found = await fail_over(self._wan, query, self._own)

        def find(state: State, name: str, source: str) -> Found | None:
            here = find_here(state, name, source)
            if here is None or here.instances:
                return here
            return here._replace(instances=found.instances, datacenter=found.datacenter, query=None)

        return find

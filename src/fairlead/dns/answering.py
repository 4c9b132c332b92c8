"""From the bytes of a question to the bytes of its answer: kept, made, or fetched.

The common case is one look into the cache. What is not there is made from the
store's memory at once; only what the recursors must be asked for takes time,
and is handed back as a coroutine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Protocol

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.core.rows import QueryRow
from fairlead.dns import wire
from fairlead.dns.answers import Search
from fairlead.dns.cache import Cache
from fairlead.dns.elsewhere import Elsewhere
from fairlead.dns.forward import Forwarder, Overloaded
from fairlead.dns.records import Record
from fairlead.dns.results import Answer, QueryFinder, no_query
from fairlead.dns.reverse import Reverse
from fairlead.dns.rules import rules_of
from fairlead.dns.wire import SERVFAIL, Message, Question
from fairlead.durations import SECOND_NS
from fairlead.settings.dns import find_recursor
from fairlead.store import LEADING

__all__ = ["Answerer", "Later", "failure"]

Later = Coroutine[Any, Any, bytes | None]

_CACHE_BYTES = 32 << 20
# A question may not make more of the recursors' work than this.
_MOST_ALIASES = 32
_PLAIN_UDP = 512


class Other(Protocol):
    """Another agent that gives the answer."""

    def answer(self, data: bytes, *, is_tcp: bool, source: str) -> bytes | Later | None: ...


class Answerer:
    """Answers for one agent; UDP and TCP have caches of their own, as their limits differ."""

    def __init__(self, agent: Agent, find_query: QueryFinder = no_query) -> None:
        self._agent = agent
        self._store = agent.store
        self._state = agent.store.state
        self._find_query = find_query
        # Whom to ask where this server's memory may not speak.
        self.leader: Other | None = None
        self._elsewhere = Elsewhere(agent) if isinstance(agent.cluster, ServerCluster) else None
        self._reverse = Reverse()
        self._udp = Cache(_CACHE_BYTES, agent.clock.now_ns)
        self._tcp = Cache(_CACHE_BYTES, agent.clock.now_ns)
        self._time = agent.metrics.sampler("dns.domain_query")
        self._reverse_time = agent.metrics.sampler("dns.ptr_query")
        self.configure()

    def configure(self) -> None:
        """Take over the settings."""
        settings = self._agent.settings
        self._rules = rules_of(settings, self._agent.node.node)
        self._allows_stale = settings.dns_config_allow_stale
        self._max_stale_ms = settings.dns_config_max_stale // 1_000_000
        recursors = [found for found in map(find_recursor, settings.recursors) if found]
        self._forwarder = Forwarder(
            recursors,
            settings.dns_config_recursor_timeout / SECOND_NS,
            at_random=settings.dns_config_recursor_strategy == "random",
            clock=self._agent.clock,
        )
        self.forget()

    def forget(self) -> None:
        """Keep nothing of what was answered so far."""
        self._udp.clear()
        self._tcp.clear()

    def answer(self, data: bytes, *, is_tcp: bool, source: str) -> bytes | Later | None:
        """The answer, or what gives it later; None for silence."""
        begun = time.perf_counter()
        store = self._store
        if store.state is not self._state:
            self._state = store.state
            self.forget()
        cache = self._tcp if is_tcp else self._udp
        key = data[2:]
        if store.contact is LEADING or self._is_fresh():
            kept = cache.find(key)
            if kept is not None:
                self._time.add((time.perf_counter() - begun) * 1000)
                return data[:2] + kept
        question = wire.read(data, is_tcp=is_tcp)
        if not isinstance(question, Question):
            return question
        if not self._is_fresh():
            if self.leader is not None and store.leader is not None:
                return self.leader.answer(data, is_tcp=is_tcp, source=source)
            return data[:2] + self._write(question, Message(SERVFAIL, has_edns=False))
        answer = self._search(question, source, {})
        if answer.is_foreign:
            return self._forward(data, question, answer)
        if answer.datacenter and self._elsewhere is not None:
            given = self._elsewhere.ask(answer.datacenter, data, question, source)
            if given is not None:
                return given
        if answer.query is not None and self._elsewhere is not None:
            return self._fail_over(data, question, source, answer.query)
        if answer.wanted:
            return self._resolve(data, question, source, answer.wanted)
        made = self._write(question, answer.message)
        if answer.is_lasting:
            cache.add(key, answer, made)
        times = self._reverse_time if question.text.endswith("arpa") else self._time
        times.add((time.perf_counter() - begun) * 1000)
        return data[:2] + made

    def _is_fresh(self) -> bool:
        """Whether this agent may speak for the servers."""
        known, age_ms = self._store.contact
        if not known or age_ms > 0:
            return self._allows_stale and age_ms <= self._max_stale_ms
        return True

    # ---------------------------------------------------------------- making answers

    def _search(
        self,
        question: Question,
        source: str,
        resolved: dict[str, list[Record]],
        find_query: QueryFinder | None = None,
    ) -> Answer:
        clock = self._agent.clock
        return Search(
            self._store.state,
            self._rules,
            question,
            now_s=clock.now_ns() // SECOND_NS,
            shuffle=clock.shuffle,
            resolved=resolved,
            reverse=self._reverse,
            find_query=find_query or self._find_query,
            source=source,
        ).run()

    def _write(self, question: Question, message: Message) -> bytes:
        return wire.write(question, message, compress=self._rules.compresses)

    # ---------------------------------------------------------------- asking others

    async def _forward(self, data: bytes, question: Question, answer: Answer) -> bytes:
        try:
            found = await self._forwarder.forward(data, is_tcp=question.is_tcp)
        except Overloaded:
            found = None
        if found is None:
            message = answer.message._replace(rcode=SERVFAIL, has_edns=True, can_recurse=True)
            return data[:2] + self._write(question, message)
        if not question.is_tcp and len(found) > max(question.size, _PLAIN_UDP):
            message = answer.message._replace(rcode=found[3] & 0x0F, is_truncated=True)
            return data[:2] + self._write(question, message)
        return found

    async def _fail_over(
        self, data: bytes, question: Question, source: str, query: QueryRow
    ) -> bytes:
        """The answer from what a prepared query finds in other datacenters."""
        assert self._elsewhere is not None, "looked at before"
        find_query = await self._elsewhere.finder(query, self._find_query)
        answer = self._search(question, source, {}, find_query)
        if answer.wanted:
            return await self._resolve(data, question, source, answer.wanted, find_query)
        return data[:2] + self._write(question, answer.message)

    async def _resolve(
        self,
        data: bytes,
        question: Question,
        source: str,
        wanted: set[str],
        find_query: QueryFinder | None = None,
    ) -> bytes:
        """Ask where the aliases lead, then make the answer."""
        names = sorted(wanted)[:_MOST_ALIASES]
        found = await asyncio.gather(*map(self._resolve_one, names))
        resolved: dict[str, list[Record]] = {name: [] for name in wanted}
        resolved.update(zip(names, found, strict=True))
        answer = self._search(question, source, resolved, find_query)
        return data[:2] + self._write(question, answer.message)

    async def _resolve_one(self, name: str) -> list[Record]:
        try:
            return await self._forwarder.resolve(name)
        except Overloaded:
            return []


def failure(data: bytes) -> bytes:
    """What is answered when answering itself failed."""
    return wire.refusal(data, SERVFAIL)

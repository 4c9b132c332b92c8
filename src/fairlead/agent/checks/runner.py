"""Runs the checks of one agent, each at its interval, and tells what they found.

The first run is at a random moment within the interval, so that checks made
together do not stay together; later ones are an interval apart, or up to a
fiftieth sooner. A run is never started beside another of the same check: one
that takes longer than its interval delays itself alone.

Rule: what a check found is told here, never stored.
"""

from __future__ import annotations

import asyncio
import functools
import heapq
import itertools
import logging
from collections.abc import Callable

from fairlead.agent.checks import make_probe
from fairlead.agent.checks.contract import Means, Outcome, Probe, failing
from fairlead.agent.checks.counts import Counts
from fairlead.agent.checks.definition import MINIMUM_INTERVAL_NS, CheckDefinition
from fairlead.agent.checks.resolver import Resolver
from fairlead.agent.checks.tls import Contexts
from fairlead.client import TLSOptions
from fairlead.clock import Clock
from fairlead.durations import SECOND_NS

__all__ = ["Runner"]

log = logging.getLogger("agent.checks")

_SOONER = 0.02
_STALE = 1024
_OWN_WORDS = 1024


class _Entry:
    """One check that is being run."""

    __slots__ = ("counts", "definition", "interval_ns", "probe", "started_ns", "stopped", "task")

    def __init__(self, definition: CheckDefinition, probe: Probe) -> None:
        self.definition = definition
        self.probe = probe
        self.counts = Counts(definition)
        self.interval_ns = max(definition.interval_ns, MINIMUM_INTERVAL_NS)
        self.started_ns = 0
        self.stopped = False
        self.task: asyncio.Task[Outcome] | None = None


class Runner:
    """`report` is called in the event loop with check id, status and output."""

    def __init__(
        self,
        report: Callable[[str, str, str], None],
        clock: Clock,
        *,
        output_max_size: int = 4096,
        tls: TLSOptions | None = None,
    ) -> None:
        self._report = report
        self._clock = clock
        self._output_max_size = output_max_size
        self._resolver = Resolver()
        self._contexts = Contexts(tls or TLSOptions())
        self._entries: dict[str, _Entry] = {}
        self._due: list[tuple[int, int, str, _Entry]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[Outcome]] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def start(self, check_id: str, definition: CheckDefinition) -> None:
        """Run a check from now on, in place of the one with that id.

        The same definition again changes nothing: who registers a check often
        must not keep it from being run.
        """
        before = self._entries.get(check_id)
        if before is not None and before.definition == definition:
            return
        self.stop(check_id)
        limit = self._output_max_size
        if definition.output_max_size:
            limit = min(limit, definition.output_max_size)
        means = Means(self._resolver, self._contexts, self._clock, limit)
        probe = make_probe(definition, means)
        if probe is None:
            return
        entry = self._entries[check_id] = _Entry(definition, probe)
        offset = self._clock.jitter(entry.interval_ns)
        self._schedule(check_id, entry, self._clock.monotonic_ns() + int(offset))

    def stop(self, check_id: str) -> None:
        """Do not run it any more; a run under way is given up and not told."""
        entry = self._entries.pop(check_id, None)
        if entry is None:
            return
        entry.stopped = True
        if entry.task is not None:
            self._ending.add(entry.task)
            entry.task.add_done_callback(self._ending.discard)
            entry.task.cancel()
        if len(self._due) > 2 * len(self._entries) + _STALE:
            self._due = [item for item in self._due if not item[3].stopped]
            heapq.heapify(self._due)

    async def close(self) -> None:
        """Stop all, and wait until nothing of them is left."""
        for check_id in list(self._entries):
            self.stop(check_id)
        self._due.clear()
        self._set_timer()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def run_due(self) -> None:
        """Begin every run whose time has come; the runner's own timer calls this."""
        now_ns = self._clock.monotonic_ns()
        while self._due and self._due[0][0] <= now_ns:
            _, _, check_id, entry = heapq.heappop(self._due)
            if not entry.stopped:
                entry.started_ns = now_ns
                entry.task = asyncio.create_task(entry.probe.run())
                entry.task.add_done_callback(functools.partial(self._ended, check_id, entry))
        self._set_timer()

    def _schedule(self, check_id: str, entry: _Entry, due_ns: int) -> None:
        heapq.heappush(self._due, (due_ns, next(self._numbers), check_id, entry))
        if self._due[0][3] is entry:
            self._set_timer()

    def _set_timer(self) -> None:
        """To the first that is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            wait_s = max(0, self._due[0][0] - self._clock.monotonic_ns()) / SECOND_NS
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.run_due()

    def _ended(self, check_id: str, entry: _Entry, task: asyncio.Task[Outcome]) -> None:
        entry.task = None
        if task.cancelled():
            return
        error = task.exception()
        if entry.stopped:
            return
        now_ns = self._clock.monotonic_ns()
        sooner = int(self._clock.jitter(entry.interval_ns * _SOONER))
        due_ns = entry.started_ns + entry.interval_ns - sooner
        if due_ns <= now_ns:
            due_ns = now_ns + MINIMUM_INTERVAL_NS
        self._schedule(check_id, entry, due_ns)
        if error is not None:
            log.error("a check could not be run: check=%s", check_id, exc_info=error)
            outcome = failing(f"the agent could not run this check: {error!r}")
        else:
            outcome = task.result()
        told = entry.counts.count(outcome)
        if told is not None:
            self._report(check_id, told.status, self._bounded(told.output))

    def _bounded(self, output: str) -> str:
        """No longer than it may be, and its own words: what a peer sends may be in an error too."""
        limit = self._output_max_size + _OWN_WORDS
        if len(output) <= limit:
            return output
        return f"{output[:limit]} ... (captured {limit} of {len(output)} bytes)"

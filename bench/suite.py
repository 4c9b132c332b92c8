"""The measurements in their order. One that fails does not keep the others from being made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import dns, million, operations, services, watchers
from bench.errors import BenchError
from bench.figures import Figure
from bench.operations import OPERATIONS
from bench.peers import Mode, Peer
from bench.server import Server

__all__ = ["NAMES", "Plan", "Results", "run"]

_SUBJECTS = (watchers.KEY, watchers.HEALTH)
NAMES = (
    *(operation.name for operation in OPERATIONS),
    "dns",
    *(subject.name for subject in _SUBJECTS),
    "services",
    "million",
)
"""Everything that can be measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does; `only` are beginnings of names, none for everything."""

    peers: list[Peer]
    only: tuple[str, ...]
    rounds: int
    seconds: int
    watchers: int
    watcher_rounds: int
    services: int
    keys: int  # 0 for no million

    def wants(self, name: str) -> bool:
        return not self.only or name.startswith(self.only)


@dataclass(slots=True)
class Results:
    """What was measured, and a line for all that could not be."""

    figures: list[Figure] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, measure: Callable[[], list[Figure]]) -> None:
        """Take what `measure` finds, or note why it found nothing."""
        try:
            self.figures.extend(measure())
        except BenchError as error:
            self.failures.append(f"{name}: {error}")


def run(plan: Plan, folder: Path) -> Results:
    """Measure all that is wanted, with the servers' data in `folder`."""
    results = Results()
    for mode in (Mode.DURABLE, Mode.MEMORY):
        _under_load(plan, mode, folder, results)
    if plan.wants("dns"):
        results.add(
            "dns", lambda: dns.measure(plan.peers, plan.rounds, plan.seconds, folder / "dns")
        )
    for subject in _SUBJECTS:
        if plan.wants(subject.name):
            measure = partial(
                watchers.measure,
                subject,
                plan.peers,
                plan.watchers,
                plan.watcher_rounds,
                folder / subject.name,
            )
            results.add(subject.name, measure)
    if plan.wants("services"):
        results.add(
            "services", partial(services.measure, plan.peers, plan.services, folder / "services")
        )
    if plan.keys and plan.wants("million"):
        results.add("million", lambda: million.measure(plan.peers, plan.keys, folder / "million"))
    return results


def _under_load(plan: Plan, mode: Mode, folder: Path, results: Results) -> None:
    """What wrk measures on servers of one mode; the same processes serve all of it."""
    wanted = [each for each in OPERATIONS if each.mode is mode and plan.wants(each.name)]
    if not wanted:
        return
    with ExitStack() as stack:
        servers: list[Server] = []
        for peer in plan.peers:
            server = stack.enter_context(peer.server(mode, folder / mode.value / peer.name))
            operations.seed(server)
            servers.append(server)
        for server in servers:
            server.settle()
        for operation in wanted:
            measure = partial(operations.measure, operation, servers, plan.rounds, plan.seconds)
            results.add(operation.name, measure)

"""What is measured on a cluster that is whole: loads by wrk, wakes of readers, memory.

The peers' clusters run in turn, never both, each turn on a new one: two cores
are few for three servers. Which comes first changes from turn to turn.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple

from bench import wakes, wrk
from bench.errors import BenchError
from bench.figures import Figure, Rounds, Target, at_least, at_most
from bench.peers import Peer
from bench.rounds import say, undisturbed
from bench.server import Server
from bench.suite import Results
from bench.three import FAILURES, Cluster
from bench.wrk import Load

__all__ = ["KEY", "MEASURES", "NAMES", "SERVICE", "Plan", "measure", "seed"]

KEY = "bench/one"
SERVICE = "bench"
_VALUE = b"a value, 20 bytes..."
# What a key that is not there reports is the index of the last change to any key.
_LAST_CHANGE = "/v1/kv/bench/absent"
_CONNECTIONS = 64
_WAKE_MS = 20.0
# Where others disturb, one more: a third would make a long run of it.
_ATTEMPTS = 2
# Each run of wrk gets another, so that no run writes what the one before wrote.
_salts = count(1)


class Plan(NamedTuple):
    """How much one run does; `only` are beginnings of names, none for everything."""

    only: tuple[str, ...]
    rounds: int
    seconds: int
    wakes: int
    kills: int

    def wants(self, name: str) -> bool:
        return not self.only or name.startswith(self.only)


class Row(NamedTuple):
    """One line of the table."""

    name: str
    title: str
    unit: str
    target: Target | None = None


class Measure(NamedTuple):
    """Something measured once a turn, and the lines it fills, in their order."""

    name: str
    rows: tuple[Row, ...]
    take: Callable[[Cluster, Plan], tuple[float, ...]]
    takes_time: bool = True
    """Whether others can disturb it."""


def seed(cluster: Cluster) -> None:
    """Write what is asked for, a key and a service, and wait until every server has it."""
    service = {"ID": SERVICE, "Service": SERVICE, "Port": 8000}
    node = {"Node": "bench-node", "Address": "10.0.0.1", "Service": service}
    leader = cluster.leader()
    for path, body in (
        (f"/v1/kv/{KEY}", _VALUE),
        ("/v1/catalog/register", json.dumps(node).encode()),
    ):
        answer = leader.ask("PUT", path, body)
        if answer.status != 200:
            raise BenchError(f"{cluster.name} refused what is to be read: {answer.body!r}")
    cluster.wait_until_whole()


def measure(peers: Sequence[Peer], plan: Plan, folder: Path, results: Results) -> None:
    """Take all that is wanted; what fails once is not tried again, and noted."""
    wanted = [each for each in MEASURES if plan.wants(each.name)]
    reached: dict[str, Rounds] = defaultdict(lambda: {peer.name: [] for peer in peers})
    failed: dict[str, str] = {}
    for number in range(1, plan.rounds + 1 if wanted else 1):
        for peer in peers if number % 2 else reversed(peers):
            turn = f"{peer.name}, three servers, round {number} of {plan.rounds}"
            say(turn)
            try:
                with Cluster(peer, folder / f"{peer.name}-{number}", {}) as cluster:
                    seed(cluster)
                    cluster.settle()
                    for each in wanted:
                        if each.name not in failed:
                            _take(each, cluster, plan, reached, failed)
            except FAILURES as error:
                results.failures.append(f"{turn}: {error}")
    results.failures += [f"{name}: {reason}" for name, reason in failed.items()]
    for row in (row for each in wanted if each.name not in failed for row in each.rows):
        rounds = reached[row.name]
        if all(rounds.values()):
            results.figures.append(Figure(row.name, row.title, row.unit, rounds, row.target))


def _take(
    what: Measure, cluster: Cluster, plan: Plan, reached: dict[str, Rounds], failed: dict[str, str]
) -> None:
    say(f"  {what.name}")
    take = partial(what.take, cluster, plan)
    try:
        values = undisturbed(take, _ATTEMPTS) if what.takes_time else take()
    except FAILURES as error:
        failed[what.name] = f"{cluster.name}: {error}"
        return
    for row, value in zip(what.rows, values, strict=True):
        reached[row.name][cluster.name].append(value)


# ---------------------------------------------------------------- what is measured


def _put(cluster: Cluster, plan: Plan) -> tuple[float]:
    """Writes a second; each of them must have moved the index."""
    load = Load(_CONNECTIONS, script="put.lua")
    leader = cluster.leader()
    _loaded(cluster.servers, load, 1)
    before = leader.ask("GET", _LAST_CHANGE).index
    run = _loaded(cluster.servers, load, plan.seconds)
    if leader.ask("GET", _LAST_CHANGE).index - before < run.requests:
        raise BenchError(f"{cluster.name} answered writes that changed nothing")
    return (run.per_second,)


def _get(
    servers: Callable[[Cluster], Sequence[Server]], query: str, cluster: Cluster, plan: Plan
) -> tuple[float]:
    load = Load(_CONNECTIONS, f"/v1/kv/{KEY}{query}")
    asked = servers(cluster)
    _loaded(asked, load, 1)
    return (_loaded(asked, load, plan.seconds).per_second,)


def _loaded(servers: Sequence[Server], load: Load, seconds: int) -> wrk.Run:
    return wrk.run_spread(servers, load, seconds, _salts)


def _wake(mode: str, cluster: Cluster, plan: Plan) -> tuple[float, ...]:
    return wakes.measure(cluster, plan.wakes, mode)


def _memory(cluster: Cluster, plan: Plan) -> tuple[float]:
    return (cluster.rss_mb(),)


def _leader(cluster: Cluster) -> list[Server]:
    return [cluster.leader()]


def _all(cluster: Cluster) -> list[Server]:
    return cluster.servers


def _woken(name: str, what: str) -> tuple[Row, Row]:
    title = f"{what} at a follower wakes after the leader's answer"
    return (
        Row(f"{name}-median", f"{title}: median", " ms", at_most(_WAKE_MS)),
        Row(f"{name}-p99", f"{title}: 99th percentile", " ms", at_most(_WAKE_MS)),
    )


def _one(name: str, title: str, unit: str, target: Target | None = None) -> tuple[Row]:
    return (Row(name, title, unit, target),)


_64 = f"{_CONNECTIONS} connections"
MEASURES: tuple[Measure, ...] = (
    Measure(
        "memory", _one("memory", "memory of a server, at rest", " MB"), _memory, takes_time=False
    ),
    Measure("wake-stale", _woken("wake-stale", "a blocking ?stale read"), partial(_wake, "stale")),
    Measure("wake-default", _woken("wake-default", "a blocking read"), partial(_wake, "")),
    Measure(
        "put",
        _one("put", f"PUT, durable, {_64} over all servers", "/s", at_least(1.0)),
        _put,
    ),
    Measure(
        "get-leader",
        _one("get-leader", f"GET one key, {_64} to the leader", "/s", at_least(1.5)),
        partial(_get, _leader, ""),
    ),
    Measure(
        "get-all",
        _one("get-all", f"GET one key, {_64} over all servers", "/s", at_least(1.5)),
        partial(_get, _all, ""),
    ),
    Measure(
        "get-stale",
        _one("get-stale", f"GET one key ?stale, {_64} over the followers", "/s", at_least(1.5)),
        partial(_get, Cluster.followers, "?stale"),
    ),
    Measure(
        "memory-after",
        _one("memory-after", "memory of a server, after the loads", " MB"),
        _memory,
        takes_time=False,
    ),
)
NAMES = tuple(each.name for each in MEASURES)

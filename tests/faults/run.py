"""One run: three servers, clients, faults, healing, the last reads, the check."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checks import Violation, check
from tests.faults.clients import Desk
from tests.faults.closing import all_answer, read_all
from tests.faults.crowd import Crowd
from tests.faults.faults import Storm, possible
from tests.faults.history import History
from tests.faults.launch import KINDS
from tests.faults.lock_clients import TTL_S
from tests.faults.places import Place, place_in
from tests.faults.servers import Server

__all__ = ["Plan", "Result", "run"]

_START_S = 90.0
_RECOVER_S = 60.0
_CALM_S = 5.0
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to run."""

    servers: str
    seconds: float
    seed: str
    faults: Sequence[str]
    modes: Sequence[str] = ("", "consistent")
    plain: bool = False
    settle_s: float = 30.0
    """How long the servers have in the end to become the same."""


@dataclass
class Result:
    """What came of it."""

    plan: Plan
    place: str = ""
    left_out: dict[str, str] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    diary: list[str] = field(default_factory=list)
    deaths: dict[str, int] = field(default_factory=dict)
    history: History = field(default_factory=History)
    errors: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    check_s: float = 0.0
    logs: dict[str, bytes] = field(default_factory=dict)


def run(plan: Plan, say: Say) -> Result:
    """All of it; nothing is left behind.

    Raises:
        RuntimeError: the servers did not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="fairlead-faults-"))
    cluster = KINDS[plan.servers]
    result = Result(plan)
    try:
        with contextlib.ExitStack() as stack:
            place = place_in(folder, cluster.servers, plain=plan.plain)
            stack.callback(place.close)
            result.place = place.what
            servers = [Server(number, place, cluster, folder) for number in range(cluster.servers)]
            for server in servers:
                stack.callback(server.close)
            try:
                _run(result, place, servers, say)
            finally:
                logs = [server for server in servers if server.log.exists()]
                result.logs = {server.name: server.log.read_bytes() for server in logs}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    started = time.monotonic()
    say(f"checking {len(result.history.ops)} operations")
    result.violations += check(result.history, TTL_S)
    result.check_s = time.monotonic() - started
    return result


def _run(result: Result, place: Place, servers: list[Server], say: Say) -> None:
    plan = result.plan
    reasons = possible(servers, place.cables)
    result.left_out = {kind: reasons[kind] for kind in plan.faults if reasons[kind]}
    kinds = [kind for kind in plan.faults if not reasons[kind]]
    say(f"starting {len(servers)} x {plan.servers} in {place.what}")
    for server in servers:
        server.start()
    desk = Desk(list(servers), plan.seed, list(plan.modes), result.history)
    crowd = Crowd(desk, place)
    try:
        problems = crowd.do(all_answer(desk, _START_S))
        if problems:
            tail = servers[0].log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{problems[0].sentence}\n{tail}")
        desk.began = time.monotonic()
        crowd.start()
        storm = Storm(servers, place.cables, kinds, plan.seed, crowd.leader)
        say(f"faults for {plan.seconds:.0f} s, seed {plan.seed}")
        storm.rage(plan.seconds, desk.now)
        say("healed; waiting for all to answer")
        _recover(result, crowd, servers)
        result.struck, result.diary = storm.struck, storm.diary
        result.deaths = {server.name: server.deaths for server in servers}
        result.errors = desk.errors
    finally:
        crowd.close()


def _recover(result: Result, crowd: Crowd, servers: list[Server]) -> None:
    """All come back by themselves, clients go on a little, then everything is read."""
    deadline = time.monotonic() + _RECOVER_S
    problems = crowd.do(all_answer(crowd.desk, 1.0))
    while problems and time.monotonic() < deadline:
        for server in servers:
            server.watch()
        problems = crowd.do(all_answer(crowd.desk, 1.0))
    if problems:
        result.violations += crowd.do(all_answer(crowd.desk, 1.0))
    calm = time.monotonic() + min(_CALM_S, result.plan.seconds)
    while time.monotonic() < calm:
        time.sleep(0.05)
    crowd.stop()
    result.violations += crowd.do(read_all(crowd.desk, result.plan.settle_s))

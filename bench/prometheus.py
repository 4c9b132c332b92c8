"""`python -m bench.prometheus`: how soon Prometheus follows a change in Fairlead, and in Consul.

Each has a Prometheus of its own. An instance fails and passes in turn, at random
moments, and two times are taken from the change on: until Prometheus has received
it, which is the registry's part, and until its targets are the right ones and
scraped, which is both parts. Its two timers of 5 s stay as far apart as they
began, so that every round has fresh processes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.processes import free_port, peer

from bench import peers
from bench.disturbance import Disturbance
from bench.errors import BenchError
from bench.machine import describe
from bench.peers import Mode, Peer
from bench.rounds import say
from bench.server import Server

__all__ = ["main"]

_START_S = 60.0
_LIMIT_S = 60.0
# Prometheus looks every 5 s; no change may come at the same moment of that each time.
_PERIOD_S = 5.0
# Longer than `refresh_interval`: what is under way has come.
_QUIET_S = 1.5
_RECEIVED = re.compile(
    rb'^prometheus_sd_received_updates_total\{name="scrape"\} (\d+)', re.MULTILINE
)
_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: registry
    consul_sd_configs:
      - {{server: '127.0.0.1:{port}', services: [web], refresh_interval: 1s}}
    relabel_configs:
      - {{source_labels: [__meta_consul_health], regex: passing, action: keep}}
      - {{source_labels: [__meta_consul_service_id], target_label: instance}}
"""


class Times(NamedTuple):
    """The seconds from a change until it was received, and until the targets were right."""

    received: float
    scraped: float


class Follower:
    """A Prometheus that asks a registry which instances there are; they all are itself."""

    def __init__(self, binary: str, registry: Server, folder: Path) -> None:
        config = folder / "prometheus.yml"
        config.write_text(_CONFIG.format(port=registry.port))
        port = free_port()
        command = [binary, f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
        self._registry = registry
        self._prometheus = Server("Prometheus", command, port, folder / "prometheus.log")

    def start(self) -> None:
        """With one instance that stays, and one that changes."""
        self._prometheus.start_for("/-/ready", _START_S)
        for name in ("stays", "changes"):
            check = {"CheckID": name, "TTL": "1h", "Status": "passing"}
            service = {"ID": name, "Name": "web", "Address": "127.0.0.1", "Check": check}
            body = json.dumps({**service, "Port": self._prometheus.port}).encode()
            self._put("/v1/agent/service/register", body)
        _wait(lambda: self._scraped() == {"stays", "changes"})

    def stop(self) -> None:
        self._prometheus.stop()

    def change(self, to: str) -> Times:
        """Have the instance `pass` or `fail`."""
        before = self._settled()
        time.sleep(random.uniform(0, _PERIOD_S))
        wanted = {"stays", "changes"} if to == "pass" else {"stays"}
        started = time.perf_counter()
        self._put(f"/v1/agent/check/{to}/changes")
        _wait(lambda: self._received() > before)
        received = time.perf_counter() - started
        _wait(lambda: self._scraped() == wanted)
        return Times(received, time.perf_counter() - started)

    def _settled(self) -> int:
        """How much it has received, once nothing more comes."""
        count = -1
        while count != (count := self._received()):
            time.sleep(_QUIET_S)
        return count

    def _received(self) -> int:
        found = _RECEIVED.search(self._prometheus.ask("GET", "/metrics").body)
        return int(found[1]) if found else 0

    def _scraped(self) -> set[str]:
        """The instances that are targets, and were scraped well."""
        body = self._prometheus.ask("GET", "/api/v1/targets?state=active").body
        targets = json.loads(body)["data"]["activeTargets"]
        return {one["labels"]["instance"] for one in targets if one["health"] == "up"}

    def _put(self, path: str, body: bytes = b"") -> None:
        answer = self._registry.ask("PUT", path, body)
        if answer.status != 200:
            raise BenchError(f"{self._registry.name} refused {path}: {answer.body!r}")


def _wait(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise BenchError(f"Prometheus did not follow in {_LIMIT_S:.0f} s")
        time.sleep(0.005)


def _round(
    binary: str, followed: Sequence[Peer], changes: int, folder: Path
) -> dict[str, list[Times]]:
    """A change of each in turn, while both run."""
    with ExitStack() as stack:
        followers = {}
        for each in followed:
            own = folder / each.name
            registry = stack.enter_context(each.server(Mode.DURABLE, own))
            followers[each.name] = follower = Follower(binary, registry, own)
            stack.callback(follower.stop)
            follower.start()
        found: dict[str, list[Times]] = {name: [] for name in followers}
        for number in range(changes):
            for name, follower in followers.items():
                found[name].append(follower.change("pass" if number % 2 else "fail"))
        return found


def _print(found: dict[str, list[Times]]) -> None:
    print("| until | of | median | longest |\n| --- | --- | ---: | ---: |")
    for column, what in enumerate(("received", "scraped accordingly")):
        for name, times in found.items():
            taken = [both[column] for both in times]
            print(f"| {what} | {name} | {median(taken):.3f} s | {max(taken):.3f} s |")


def _run(options: argparse.Namespace) -> None:
    binary = peer("prometheus")
    if binary is None:
        raise BenchError("no Prometheus with consul_sd_configs can be had")
    followed = [each for each in (peers.consul(), peers.fairlead()) if each is not None]
    found: dict[str, list[Times]] = {each.name: [] for each in followed}
    disturbance = Disturbance()
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        folder = Path(name)
        facts = describe(folder)
        for number in range(1, options.rounds + 1):
            say(f"round {number} of {options.rounds}")
            times = _round(binary, followed, options.changes, folder / str(number))
            for who, taken in times.items():
                found[who] += taken
    facts["used by others meanwhile"] = f"{disturbance.share():.0%} of the processors"
    for what, value in facts.items():
        print(f"{what:>24}: {value}")
    _print(found)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.prometheus", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=3, metavar="N", help="fresh processes each (default: 3)")
    add("--changes", type=int, default=10, metavar="N", help="in each round (default: 10)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

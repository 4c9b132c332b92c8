"""`make bench-checks`: what the health checks of one agent cost: 5 000 over HTTP, every 10 s.

The server that is checked runs in a process of its own; counted is this one,
its time in the kernel for the sockets included.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop

from bench.machine import describe
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.runner import Runner
from fairlead.clock import SystemClock
from fairlead.durations import SECOND_NS

__all__ = ["main"]

_LIMIT_PERCENT = 50
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class _Healthy(asyncio.Protocol):
    """Answers anything with 200, then hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not `isinstance`: uvloop's transports are asyncio's by their methods alone.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)
        self._transport.close()


def _serve(ready: Connection) -> None:
    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(
            _Healthy, "127.0.0.1", 0, backlog=4096
        )
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


async def _measure(url: str, checks: int, interval_s: float, seconds: float) -> dict[str, float]:
    found: Counter[str] = Counter()

    def report(check_id: str, status: str, output: str) -> None:
        found[status] += 1

    runner = Runner(report, SystemClock())
    begun = _cpu_s()
    for number in range(checks):
        definition = CheckDefinition(
            check_id=f"check{number}",
            http=f"{url}/health/{number}",
            interval_ns=int(interval_s * SECOND_NS),
            timeout_ns=5 * SECOND_NS,
        )
        runner.start(definition.check_id, definition)
    registering = _cpu_s() - begun
    await asyncio.sleep(interval_s)  # until each has run once
    found.clear()
    begun, wall = _cpu_s(), time.perf_counter()
    await asyncio.sleep(seconds)
    used, lasted = _cpu_s() - begun, time.perf_counter() - wall
    runs = sum(found.values())
    await runner.close()
    return {
        "checks": checks,
        "runs per second": runs / lasted,
        "of them passing, %": 100 * found["passing"] / max(runs, 1),
        "CPU for a run, µs": 1e6 * used / max(runs, 1),
        "share of a core, %": 100 * used / lasted,
        "to register all, s": registering,
        "memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _cpu_s() -> float:
    return time.process_time()


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.checks", description=__doc__)
    parser.add_argument("--checks", type=int, default=5000)
    parser.add_argument("--interval", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long to count")
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe(duplex=False)
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        url = f"http://127.0.0.1:{ours.recv()}"
        figures = uvloop.run(_measure(url, options.checks, options.interval, options.seconds))
    finally:
        server.terminate()
        server.join()
    for name, text in describe(Path.cwd()).items():
        print(f"{name:>20}: {text}")
    for name, value in figures.items():
        print(f"{name:>20}: {value:.1f}")
    good = figures["of them passing, %"] == 100 and figures["share of a core, %"] < _LIMIT_PERCENT
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

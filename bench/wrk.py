"""wrk, the load generator: one run of it, and whether the run counts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.server import Server

__all__ = ["Load", "Run", "run", "run_spread"]

_SCRIPTS = Path(__file__).resolve().parent
# A request that takes longer counts as failed; wrk's own limit of 2 s is short for a busy disk.
_TIMEOUT_S = 20
_RATE = re.compile(r"^Requests/sec: +([\d.]+)$", re.MULTILINE)
_COUNT = re.compile(r"^ +(\d+) requests in ", re.MULTILINE)
_FAILURE = re.compile(r"^ *((?:Non-2xx or 3xx responses|Socket errors): .*)$", re.MULTILINE)


class Load(NamedTuple):
    """What wrk sends: to which path, from which script (a file beside this one)."""

    connections: int
    path: str = "/"
    script: str = ""


class Run(NamedTuple):
    """What a run of wrk reached."""

    requests: int
    per_second: float


def run(server: Server, load: Load, seconds: int, salt: int) -> Run:
    """Load a server for some seconds; `salt` makes what a script writes unlike other runs'.

    Raises:
        BenchError: a request failed.
    """
    return _finish(server, _start(server, load, seconds, salt))


def run_spread(servers: Sequence[Server], load: Load, seconds: int, salts: Iterator[int]) -> Run:
    """Load several servers at once, each with its share of the connections.

    Raises:
        BenchError: a request failed.
    """
    share, more = divmod(load.connections, len(servers))
    threads = 2 if len(servers) == 1 else 1
    started: list[subprocess.Popen[str]] = []
    try:
        for number, server in enumerate(servers):
            part = load._replace(connections=share + (number < more))
            started.append(_start(server, part, seconds, next(salts), threads))
        runs = [_finish(*each) for each in zip(servers, started, strict=True)]
    finally:
        for each in started:
            each.kill()
            each.wait()
    return Run(sum(each.requests for each in runs), sum(each.per_second for each in runs))


def _start(
    server: Server, load: Load, seconds: int, salt: int, threads: int = 2
) -> subprocess.Popen[str]:
    threads = min(threads, load.connections)
    command = ["wrk", f"-t{threads}", f"-c{load.connections}", f"-d{seconds}s"]
    command.append(f"--timeout={_TIMEOUT_S}s")
    if load.script:
        command.append(f"--script={_SCRIPTS / load.script}")
    command += [server.url + load.path, "--", str(salt)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(server: Server, process: subprocess.Popen[str]) -> Run:
    try:
        out, errors = process.communicate()
    except BaseException:  # whoever waits was interrupted
        process.kill()
        raise
    failure = _FAILURE.search(out)
    if failure:
        raise BenchError(f"{server.name}: {failure[1]}")
    rate, count = _RATE.search(out), _COUNT.search(out)
    if process.returncode or rate is None or count is None or not int(count[1]):
        raise BenchError(f"wrk failed on {server.name}: {(errors or out).strip()[-200:]}")
    return Run(int(count[1]), float(rate[1]))

"""wrk, the load generator: one run of it, and whether the run counts."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.server import Server

__all__ = ["Load", "Run", "run"]

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
    threads = min(2, load.connections)
    command = ["wrk", f"-t{threads}", f"-c{load.connections}", f"-d{seconds}s"]
    command.append(f"--timeout={_TIMEOUT_S}s")
    if load.script:
        command.append(f"--script={_SCRIPTS / load.script}")
    command += [server.url + load.path, "--", str(salt)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    failure = _FAILURE.search(done.stdout)
    if failure:
        raise BenchError(f"{server.name}: {failure[1]}")
    rate, count = _RATE.search(done.stdout), _COUNT.search(done.stdout)
    if done.returncode or rate is None or count is None or not int(count[1]):
        raise BenchError(
            f"wrk failed on {server.name}: {(done.stderr or done.stdout).strip()[-200:]}"
        )
    return Run(int(count[1]), float(rate[1]))

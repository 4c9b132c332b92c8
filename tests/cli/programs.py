"""The program `fairlead` as a process: run it, start it, wait for what it does."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.processes import FAIRLEAD

__all__ = ["Done", "environment", "run", "running", "stop", "wait_until"]

_LIMIT_S = 20.0


class Done(NamedTuple):
    """How a program ended."""

    code: int
    stdout: str
    stderr: str


def environment(address: str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """That of whoever runs the tests, without what would change an outcome."""
    names = ("CONSUL_", "FAIRLEAD_", "NO_COLOR", "_FAIRLEAD")
    env = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    return {**env, "FAIRLEAD_HTTP_ADDR": address, "SHELL": "/bin/sh", **(more or {})}


def run(
    address: str,
    *words: str | bytes,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: Sequence[str] = FAIRLEAD,
) -> Done:
    """Run it to its end; it must not end in a traceback."""
    done = subprocess.run(
        [*program, *words],
        input=stdin,
        capture_output=True,
        env=environment(address, env),
        cwd=cwd,
        timeout=_LIMIT_S,
        check=False,
    )
    stdout, stderr = (out.decode("utf-8", "surrogateescape") for out in (done.stdout, done.stderr))
    assert "Traceback" not in stderr, stderr
    return Done(done.returncode, stdout, stderr)


@contextlib.contextmanager
def running(address: str, *words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """It, while it runs; no terminal controls it, as under a supervisor."""
    process = subprocess.Popen(
        [*FAIRLEAD, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(address),
        cwd=cwd,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # What it started may hold its outputs open for long, so nobody reads them to their end.
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()


def stop(process: subprocess.Popen[str], number: signal.Signals) -> Done:
    """Send the signal and wait for the end."""
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=_LIMIT_S)
    return Done(process.returncode, stdout, stderr)


def wait_until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not what():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)

"""Scripts: exit 0 is passing, 1 a warning, all else critical.

A script runs as a process group of its own, which is killed whole when its time
is up. It counts as running until its output is closed, as in Consul: what it
left in the background with that output is killed with it.

No shell is asked unless `shell` names one: then a single argument is a line for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shlex
import shutil
import signal
import subprocess

from fairlead.agent.checks.capture import PACE_BYTES, PACE_S, Capture
from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.core.health import CRITICAL, PASSING, WARNING
from fairlead.durations import SECOND_NS, format_duration

__all__ = ["Ended", "command_of", "make", "run_command", "status_of"]

_TIMEOUT_S = 30.0
_CHUNK_BYTES = 64 * 1024
_POLLS_S = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_SLOWEST_POLL_S = 0.1


class Ended:
    """How a command ended: its exit code, None when its time was up; or why it did not start."""

    def __init__(self, code: int | None, fault: str = "") -> None:
        self.code = code
        self.fault = fault


class _Output:
    """Takes what comes out of a pipe, without hurry."""

    def __init__(self, descriptor: int, capture: Capture) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._capture = capture
        self._until_rest = PACE_BYTES
        self._rest: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._capture.add(data)
        if not data:
            self._loop.remove_reader(self._descriptor)
            if not self.closed.done():
                self.closed.set_result(None)
            return
        self._until_rest -= len(data)
        if self._until_rest < 0:
            self._until_rest = PACE_BYTES
            self._loop.remove_reader(self._descriptor)
            self._rest = self._loop.call_later(PACE_S, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        self._loop.add_reader(self._descriptor, self._read)

    def close(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        else:
            self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)


async def run_command(command: list[str], capture: Capture, limit_s: float) -> Ended:
    """Run it to its end, or kill its group after `limit_s`, and when this is cancelled."""
    path = command[0]
    if path and "/" not in path:
        found = shutil.which(path)
        if found is None:
            return Ended(None, f'exec: "{path}": executable file not found in $PATH')
        path = found
    reader, writer = os.pipe()
    try:
        process = subprocess.Popen(
            command,
            executable=path,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            process_group=0,
        )
    except (OSError, ValueError) as error:
        os.close(reader)
        number = error.errno if isinstance(error, OSError) else None
        if not path:
            number = errno.ENOENT
        why = os.strerror(number).lower() if number else "invalid argument"
        return Ended(None, f"fork/exec {path}: {why}")
    finally:
        os.close(writer)
    output = _Output(reader, capture)
    try:
        async with asyncio.timeout(limit_s):
            await output.closed
            return Ended(await _exit_code(process))
    except TimeoutError:
        return Ended(None)
    finally:
        output.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await _exit_code(process)


async def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Wait for it: as a rule it has ended when its output has."""
    for pause_s in _POLLS_S:
        await asyncio.sleep(pause_s)
        if (code := process.poll()) is not None:
            return code
    while (code := process.poll()) is None:
        await asyncio.sleep(_SLOWEST_POLL_S)
    return code


def status_of(code: int) -> str:
    """What an exit code says."""
    if code == 0:
        return PASSING
    return WARNING if code == 1 else CRITICAL


def command_of(check: CheckDefinition) -> list[str]:
    """What to run."""
    if not check.shell:
        return check.args
    line = check.args[0] if len(check.args) == 1 else shlex.join(check.args)
    return [check.shell, "-c", line]


class _Script:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._command = command_of(check)
        self._limit = means.output_limit
        self._timeout_s = timeout_s(check.timeout_ns, _TIMEOUT_S)

    async def run(self) -> Outcome:
        capture = Capture(self._limit)
        ended = await run_command(self._command, capture, self._timeout_s)
        if ended.fault:
            return failing(ended.fault)
        text = capture.cut_text()
        if ended.code is None:
            limit = format_duration(round(self._timeout_s * SECOND_NS))
            return failing(f"Timed out ({limit}) running check" + (f"\n\n{text}" if text else ""))
        return Outcome(status_of(ended.code), text)


def make(check: CheckDefinition, means: Means) -> Probe:
    return _Script(check, means)

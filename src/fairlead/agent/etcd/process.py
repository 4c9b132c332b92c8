"""The etcd of this server as a child process: started, started again, stopped.

Rule: knows a command and what etcd says on stderr; what for is `supervisor.py`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path

from fairlead.agent.etcd import child
from fairlead.agent.etcd.output import Output, Verdict

__all__ = ["EtcdProcess"]

log = logging.getLogger("agent.etcd")

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 15.0
_LONG_LIFE_S = 60.0
# It hands its lead on in milliseconds, if anybody is there; a kill loses nothing either.
_STOP_S = 2.0
_LINE_LIMIT_BYTES = 1024 * 1024
# There is no use in starting it again.
_FATAL = (
    Verdict.REMOVED,
    Verdict.LOST,
    Verdict.DAMAGED,
    Verdict.STRANGER,
    Verdict.CHANGED,
)


class EtcdProcess:
    """`start` it; it runs until `stop`, or until `failed` is called with why it cannot."""

    def __init__(
        self,
        command: Callable[[], list[str]],
        folder: Path,
        failed: Callable[[Verdict, str], Awaitable[None]],
    ) -> None:
        self._command = command
        self._folder = folder
        self._failed = failed
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._output = Output()
        self.starts = 0

    @property
    def pid(self) -> int:
        """0 while there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else 0

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="etcd")

    async def stop(self) -> None:
        """End it in order, or at least end it."""
        self._is_stopping = True
        self._output.is_ending = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                log.info("etcd takes long to end and is killed: pid=%d", process.pid)
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        backoff_s = _FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while not self._is_stopping:
            begin = loop.time()
            self._output = output = Output()
            why = await self._live(output)
            if self._is_stopping:
                return
            verdict = output.verdict
            if verdict in _FATAL:
                await self._failed(verdict, output.last)
                return
            log.error("etcd ended: why=%s (%s); it is started again in %gs", *why, backoff_s)
            if verdict in (Verdict.PORT, Verdict.FULL):
                await self._failed(verdict, output.last)
            await asyncio.sleep(backoff_s)
            is_well = loop.time() - begin > _LONG_LIFE_S
            backoff_s = _FIRST_BACKOFF_S if is_well else min(backoff_s * 2, _LONGEST_BACKOFF_S)

    async def _live(self, output: Output) -> tuple[str, str]:
        """One life: why it ended, and its last words."""
        program = [sys.executable, "-I", "-S", child.__file__, str(os.getpid())]
        self.starts += 1
        try:
            self._process = process = await asyncio.create_subprocess_exec(
                *program,
                *self._command(),
                cwd=self._folder,
                env=_environment(),
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=PIPE,
                # Signals from a terminal are the agent's; it ends etcd last.
                start_new_session=True,
                limit=_LINE_LIMIT_BYTES,
            )
        except OSError as error:
            return "it cannot be started", str(error.strerror)
        assert process.stderr is not None, "it is a pipe"
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:
                # Longer than the limit.
                continue
            if not line:
                break
            output.feed(line.decode(errors="replace"))
        code = await process.wait()
        text = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return text, output.last


def _environment() -> dict[str, str]:
    """Ours without what another etcd on this machine is told by it: it would be told as well."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}

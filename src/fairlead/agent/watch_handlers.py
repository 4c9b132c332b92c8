"""What handles the news of a watch: a command with the JSON on its stdin, or a request with it.

A command runs in a process group of its own, which is ended with the watch. What
it prints is logged, its last 4 KiB.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from typing import Protocol

from fairlead.agent.checks.capture import Capture
from fairlead.agent.checks.contract import Means, Probe
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.http import make as make_http
from fairlead.agent.checks.resolver import Resolver
from fairlead.agent.checks.tls import Contexts
from fairlead.client import TLSOptions
from fairlead.clock import Clock
from fairlead.core.health import PASSING
from fairlead.settings.watches import HttpHandling, WatchDefinition

__all__ = ["Handled", "Handler", "handler_of"]

_OUTPUT_BYTES = 4096
_CHUNK_BYTES = 64 * 1024


class Handled:
    """How it went: what was printed or answered; and what went wrong, empty when nothing did."""

    def __init__(self, output: str, fault: str = "") -> None:
        self.output = output
        self.fault = fault


class Handler(Protocol):
    """Takes news, one after the other."""

    name: str

    async def run(self, news: bytes, index: int) -> Handled:
        """Handle one; ends early when it is cancelled."""


def handler_of(watch: WatchDefinition, clock: Clock) -> Handler:
    """What a watch asks for."""
    if watch.http is not None:
        return _Request(watch.http, clock)
    return _Command(watch.args or [os.environ.get("SHELL") or "/bin/sh", "-c", watch.line])


class _Command:
    """A program, run once for each news."""

    def __init__(self, args: list[str]) -> None:
        self.name = " ".join(args)
        self._args = args

    async def run(self, news: bytes, index: int) -> Handled:
        try:
            process = await self._start(index)
        except (OSError, ValueError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower()
            return Handled("", f"fork/exec {self._args[0]}: {why}")
        capture = Capture(_OUTPUT_BYTES)
        try:
            await asyncio.gather(_feed(process, news), _read(process, capture))
            code = await process.wait()
        finally:
            await _end(process)
        return Handled(capture.cut_text(), _failure(code))

    async def _start(self, index: int) -> asyncio.subprocess.Process:
        """Whoever is cancelled meanwhile leaves nothing that runs."""
        starting = asyncio.ensure_future(
            asyncio.create_subprocess_exec(
                *self._args,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "CONSUL_INDEX": str(index)},
                start_new_session=True,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled itself, asyncio would end the process alone, and wait for its children.
            with contextlib.suppress(OSError, ValueError):
                await _end(await starting)
            raise


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it with whatever it has started, if it still runs."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _feed(process: asyncio.subprocess.Process, news: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # it need not read
        process.stdin.write(news)
        await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process, capture: Capture) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK_BYTES):
        capture.add(chunk)


def _failure(code: int) -> str:
    if code == 0:
        return ""
    return f"exit status {code}" if code > 0 else f"signal: {signal.strsignal(-code)}".lower()


class _Request:
    """A request for each news; HTTP checks know how to make one, and follow redirects."""

    def __init__(self, http: HttpHandling, clock: Clock) -> None:
        self.name = http.path
        self._http = http
        self._means = Means(Resolver(), Contexts(TLSOptions()), clock, _OUTPUT_BYTES)

    async def run(self, news: bytes, index: int) -> Handled:
        outcome = await self._probe(news, index).run()
        is_fine = outcome.status == PASSING
        return Handled(outcome.output if is_fine else "", "" if is_fine else outcome.output)

    def _probe(self, news: bytes, index: int) -> Probe:
        http = self._http
        ours = {
            "User-Agent": ["Fairlead Watch"],
            "Content-Type": ["application/json"],
            "X-Consul-Index": [str(index)],
        }
        given = {name.lower() for name in http.header}
        ours = {name: values for name, values in ours.items() if name.lower() not in given}
        check = CheckDefinition(
            http=http.path,
            method=http.method,
            header={**ours, **http.header},
            body=news.decode(),
            timeout_ns=http.timeout,
            tls_skip_verify=http.tls_skip_verify,
        )
        return make_http(check, self._means)

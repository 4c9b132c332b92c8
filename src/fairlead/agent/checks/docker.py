"""Docker: a command run inside a container, through the Docker Engine's API.

Where the engine is says `DOCKER_HOST`, `unix:///var/run/docker.sock` when unset.
The exit code counts as a script's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from fairlead.agent.checks.capture import Capture
from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import DialError, connect_words, dial, split_host_port
from fairlead.agent.checks.exchange import Exchange, ExchangeError
from fairlead.agent.checks.script import command_of, status_of
from fairlead.durations import SECOND_NS, format_duration

__all__ = ["make"]

T = TypeVar("T")
_TIMEOUT_S = 30.0
_JSON_BYTES = 64 * 1024
_DEFAULT_HOST = "unix:///var/run/docker.sock"


class _DockerError(Exception):
    """What the engine said, in Consul's words."""


class _Created(msgspec.Struct):
    id: str = msgspec.field(name="Id")


class _Inspected(msgspec.Struct):
    exit_code: int = msgspec.field(name="ExitCode")


class _Docker:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._container = check.docker_container_id
        self._command = command_of(check)
        self._timeout_s = timeout_s(check.timeout_ns, _TIMEOUT_S)
        self._means = means
        self._host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST

    async def run(self) -> Outcome:
        capture = Capture(self._means.output_limit)
        try:
            async with asyncio.timeout(self._timeout_s):
                code = await self._run(capture)
        except _DockerError as error:
            return failing(str(error))
        except TimeoutError:
            limit = format_duration(round(self._timeout_s * SECOND_NS))
            text = capture.cut_text()
            return failing(f"Timed out ({limit}) running check" + (f"\n\n{text}" if text else ""))
        return Outcome(status_of(code), capture.cut_text())

    async def _run(self, capture: Capture) -> int:
        """The exit code of the command."""
        container = self._container
        body = {
            "AttachStdin": False,
            "AttachStdout": True,
            "AttachStderr": True,
            "Tty": False,
            "Cmd": self._command,
        }
        what = f"create exec failed for container {container}"
        path = f"/containers/{quote(container, safe='')}/exec"
        status, text = await self._call("POST", path, body, what)
        if status == 404:
            raise _DockerError(f"create exec failed for unknown container {container}")
        if status == 409:
            why = f"since container {container} is paused or stopped"
            raise _DockerError(f"create exec failed {why}")
        if status != 201:
            raise _DockerError(f"{what} with status {status}: {text}")
        parsed = f"create exec response for container {container} cannot be parsed"
        exec_id = quote(_decoded(text, _Created, parsed).id, safe="")

        what = f"start exec failed for container {container}"
        # With a terminal on the reply alone, output comes as it is, without frames.
        status, text = await self._call(
            "POST", f"/exec/{exec_id}/start", {"Detach": False, "Tty": True}, what, capture
        )
        if status == 404:
            raise _DockerError(f"{what}: invalid exec id {exec_id}")
        if status == 409:
            why = f"since container {container} is paused or stopped"
            raise _DockerError(f"start exec failed {why}")
        if status not in (101, 200):
            raise _DockerError(f"{what} with status {status}: body: {text}")

        what = f"inspect exec failed for container {container}"
        status, text = await self._call("GET", f"/exec/{exec_id}/json", None, what)
        if status == 404:
            raise _DockerError(f"{what}: invalid exec id {exec_id}")
        if status != 200:
            raise _DockerError(f"{what} with status {status}: {text}")
        parsed = f"inspect exec response for container {container} cannot be parsed"
        return _decoded(text, _Inspected, parsed).exit_code

    async def _call(
        self, method: str, path: str, body: Any, what: str, capture: Capture | None = None
    ) -> tuple[int, str]:
        """Status and text of the engine's answer."""
        capture = capture or Capture(_JSON_BYTES)
        content = b"" if body is None else msgspec.json.encode(body)
        head = f"{method} {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        try:
            transport, exchange = await self._connect(lambda: Exchange(capture))
            try:
                exchange.start(transport, f"{head}\r\n".encode() + content)
                answer = await exchange.answer
            finally:
                exchange.close()
                transport.abort()
        except (DialError, ExchangeError) as error:
            where = quote(self._host.partition("://")[2], safe=":")
            asked = f'{method.capitalize()} "http://{where}{path}"'
            raise _DockerError(f"{what}: {asked}: {error}") from error
        return answer.status, capture.text()

    async def _connect(self, factory: Callable[[], Exchange]) -> tuple[asyncio.Transport, Exchange]:
        loop = asyncio.get_running_loop()
        scheme, _, where = self._host.partition("://")
        if scheme != "unix":
            endpoint = split_host_port(where or self._host)
            deadline = loop.time() + self._timeout_s
            return await dial(factory, endpoint, self._means.resolver, deadline)
        try:
            return await loop.create_unix_connection(factory, where)
        except OSError as error:
            raise DialError(f"dial unix {where}: connect: {connect_words(error)}") from error


def _decoded(text: str, kind: type[T], fault: str) -> T:
    """Raises: _DockerError when the engine's answer is not what it should be."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise _DockerError(f"{fault}: {error}") from error


def make(check: CheckDefinition, means: Means) -> Probe:
    return _Docker(check, means)

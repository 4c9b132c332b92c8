"""Docker checks, against a stand-in for the engine.

It is a small HTTP server on a unix socket that answers as the Docker Engine's
API documents it; it runs the command as a process here, in no container.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fairlead.agent.checks.definition import CheckDefinition
from tests.agent.checks.servers import run


class Engine:
    """Knows the container `web`; `paused` is paused."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.codes: list[int] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        size = next(
            (int(line[16:]) for line in head.splitlines() if line.startswith("Content-Length: ")), 0
        )
        body = await reader.readexactly(size)
        method, path = head.split(" ")[:2]
        status, content = await self._answer(method, path, body)
        # As the engine does it: a stream without a length, that ends with the connection.
        writer.write(f"HTTP/1.1 {status} X\r\nConnection: close\r\n\r\n".encode() + content)
        await writer.drain()
        writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        words = path.split("/")
        match method, words[1], words[3]:
            case "POST", "containers", "exec":
                if words[2] == "paused":
                    return 409, b'{"message":"Container paused is paused"}'
                if words[2] != "web":
                    return 404, b'{"message":"No such container"}'
                self.commands.append(json.loads(body)["Cmd"])
                self.codes.append(-1)
                return 201, json.dumps({"Id": str(len(self.codes) - 1)}).encode()
            case "POST", "exec", "start":
                number = int(words[2])
                process = await asyncio.create_subprocess_exec(
                    *self.commands[number], stdout=asyncio.subprocess.PIPE
                )
                output, _ = await process.communicate()
                self.codes[number] = process.returncode or 0
                return 200, output
            case "GET", "exec", "json":
                return 200, json.dumps({"ExitCode": self.codes[int(words[2])]}).encode()
        return 500, b"unknown"


@contextlib.asynccontextmanager
async def engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    path = folder / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    server = await asyncio.start_unix_server(Engine().handle, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def test_a_command_in_a_container_counts_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, monkeypatch):
        for code, status in ((0, "passing"), (1, "warning"), (2, "critical")):
            check = CheckDefinition(
                docker_container_id="web", args=["/bin/sh", "-c", f"echo out; exit {code}"]
            )
            assert await run(check) == (status, "out\n")
        shell = CheckDefinition(docker_container_id="web", args=["echo $0"], shell="/bin/sh")
        assert await run(shell) == ("passing", "/bin/sh\n")
        long = CheckDefinition(docker_container_id="web", args=["printf", "0123456789"])
        assert (await run(long, limit=4)).output == "Captured 4 of 10 bytes\n...\n6789"


async def test_what_the_engine_refuses_is_critical(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, monkeypatch):
        expected = {
            "nope": "create exec failed for unknown container nope",
            "paused": "create exec failed since container paused is paused or stopped",
        }
        for container, output in expected.items():
            check = CheckDefinition(docker_container_id=container, args=["true"])
            assert await run(check) == ("critical", output)


async def test_a_command_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path, monkeypatch):
        check = CheckDefinition(
            docker_container_id="web", args=["sleep", "2"], timeout_ns=1_000_000_000
        )
        assert await run(check) == ("critical", "Timed out (1s) running check")
        await asyncio.sleep(1.2)  # until the stand-in is done with it


async def test_no_engine_is_critical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    status, output = await run(CheckDefinition(docker_container_id="web", args=["true"]))
    assert status == "critical"
    assert output.startswith("create exec failed for container web: Post ")
    assert output.endswith(f"dial unix {tmp_path}/none.sock: connect: no such file or directory")

"""A state that is not in an engine at hand: behind an agent that runs, or in a snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from fairlead.agent import archive
from fairlead.client import Client
from fairlead.core.keys import node_key
from fairlead.engines import Contents
from fairlead.errors import InvalidError, UnavailableError

__all__ = ["AgentPlace", "SnapshotPlace"]


class AgentPlace:
    """A cluster, or a single server, by the HTTP address of an agent of it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.name = f"cluster at {client.address.url}"

    async def open(self) -> None:
        """It is not taken: whoever writes there, writes there."""

    async def read(self) -> Contents:
        return await asyncio.to_thread(self._read)

    def _read(self) -> Contents:
        reply = self._client.get("/v1/snapshot")
        if reply.status != 200:
            raise UnavailableError(f"{self.name} has no snapshots: is it an agent?")
        return archive.read(reply.body)

    async def write(self, contents: Contents) -> None:
        await asyncio.to_thread(self._write, contents)

    def _write(self, contents: Contents) -> None:
        with archive.write(contents, archive.About("", "", time.time_ns())) as file:
            self._client.put("/v1/snapshot", file.read())

    async def running(self) -> set[str]:
        return await asyncio.to_thread(self._running)

    def _running(self) -> set[str]:
        servers = self._client.get("/v1/operator/raft/configuration").field("Servers")
        return {node_key(server["Node"]) for server in servers}

    async def close(self) -> None:
        self._client.close()


class SnapshotPlace:
    """A file."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.name = f"snapshot {path}"

    async def open(self) -> None:
        """A file is whole or not there, whoever uses it."""

    async def read(self) -> Contents:
        try:
            data = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return Contents(0, ())
        except OSError as error:
            raise InvalidError(f"cannot read {self._path}: {error.strerror}") from error
        return await asyncio.to_thread(archive.read, data)

    async def write(self, contents: Contents) -> None:
        await asyncio.to_thread(self._write, contents)

    def _write(self, contents: Contents) -> None:
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with archive.write(contents, archive.About("", "", time.time_ns())) as file:
            data = file.read()
        try:
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.replace(draft, self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise InvalidError(f"cannot write {self._path}: {error.strerror}") from error

    async def running(self) -> set[str]:
        return set()

    async def close(self) -> None:
        """Nothing is held."""

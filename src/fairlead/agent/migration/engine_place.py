"""A state in an engine that no server uses: a SQLite file, or a prefix of an etcd.

A SQLite file is taken by the lock of its folder, an etcd by the key of the
leader: no server can lead, and so write, as long as the state is being moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from fairlead.data_dir import InUseError
from fairlead.engines import Contents, Elected, Engine, Leader, SharedEngine, open_engine
from fairlead.errors import ConflictError, FairleadError, UnavailableError

__all__ = ["EtcdPlace", "SqlitePlace"]

T = TypeVar("T")

_REACH_S = 10.0
# A leader that was killed is one until its lease ends.
_LEASE_S = 4.0


class SqlitePlace:
    """A file, made with its folder where there is none."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.name = f"sqlite {path}"
        self._engine: Engine | None = None
        self._made: list[Path] = []

    async def open(self) -> None:
        path = self._path
        files = [path.with_name(path.name + end) for end in ("-shm", "-wal", "")]
        folders = [folder for folder in path.parents if not folder.exists()]
        made = [file for file in [*files, path.parent / "lock"] if not file.exists()]
        is_new = not path.exists()
        try:
            self._engine = open_engine(f"sqlite:{path}")
        except InUseError as error:
            hint = "stop that agent first, or name it by its HTTP address: http://HOST:8500"
            raise ConflictError(str(error), hint=hint) from error
        self._made = [*made, *folders] if is_new else []

    async def read(self) -> Contents:
        return await self._opened.load()

    async def write(self, contents: Contents) -> None:
        await self._opened.replace(contents)
        self._made = []

    async def running(self) -> set[str]:
        return set()

    async def close(self) -> None:
        if self._engine is not None:
            await self._engine.close()
        # A folder with an empty database would pass for a server's that has nothing.
        for path in self._made:
            with contextlib.suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)

    @property
    def _opened(self) -> Engine:
        assert self._engine is not None, "it was opened"
        return self._engine


class EtcdPlace:
    """A prefix of an etcd; `address` as after `etcd:`."""

    def __init__(self, address: str) -> None:
        self._address = f"etcd:{address}"
        self._held: SharedEngine | None = None
        self.name = f"etcd {address.partition('?')[0]}"

    async def open(self) -> None:
        engine = open_engine(self._address)
        assert isinstance(engine, SharedEngine)
        self.name = engine.place
        self._held = engine
        await self._in_time(engine.load())

    async def hold(self) -> None:
        """Take the lead, so that no server can.

        Raises:
            ConflictError: a server has it.
            UnavailableError: there is no majority.
        """
        engine = self._held
        assert engine is not None, "it was opened"
        own = Leader("fairlead operator migrate", str(uuid.uuid4()), "")
        try:
            await self._in_time(self._elected(engine, own))
        except ConflictError:
            raise
        except FairleadError as error:
            raise UnavailableError(f"{self.name} cannot be taken: {error}") from error

    async def _elected(self, engine: SharedEngine, own: Leader) -> None:
        found: Leader | None = None
        events = engine.feed()
        deadline = asyncio.get_running_loop().time() + _LEASE_S
        while True:
            try:
                async with asyncio.timeout_at(deadline if found is not None else None):
                    event = await anext(events)
            except TimeoutError:
                assert found is not None, "else it waits"
                raise ConflictError(
                    f"{self.name} is in use: server {found.node} ({found.address}) leads there",
                    hint="stop its servers, or name the cluster by the HTTP address of one",
                ) from None
            if not isinstance(event, Elected):
                continue
            found = event.leader if event.leader != own else None
            if event.leader == own:
                return
            if event.leader is None:
                engine.stand(own)

    async def read(self) -> Contents:
        """Over a connection of its own: what is there, not what is thought to be."""
        engine = open_engine(self._address)
        try:
            return await self._in_time(engine.load())
        finally:
            await engine.close()

    async def write(self, contents: Contents) -> None:
        assert self._held is not None, "it was opened"
        await self._held.replace(contents)

    async def running(self) -> set[str]:
        return set()

    async def close(self) -> None:
        if self._held is not None:
            await self._held.close()

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_REACH_S):
                return await work
        except TimeoutError as error:
            why = "no answer in 10 s; is it running, and most of its members?"
            raise UnavailableError(f"{self.name}: {why}") from error

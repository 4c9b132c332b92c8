"""What was registered by the API, kept in files under the data directory.

`services/<md5 of the id>` and `checks/<md5>` hold one registration each,
`checks/state/<md5>` what a TTL check was told last. A file is replaced as a
whole, in a thread of its own and in the order of the calls; a file that cannot
be read is named in the log and left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.core.rows import CheckRow, Service
from fairlead.errors import UnavailableError

__all__ = ["Kept", "KeptCheck", "KeptService", "KeptState"]

log = logging.getLogger("agent")

_SERVICES, _CHECKS, _STATES = "services", "checks", "checks/state"
_DRAFT = ".tmp"
T = TypeVar("T", bound=Struct)


class KeptService(Struct, frozen=True, rename="pascal"):
    """A service as it is kept."""

    token: str
    service: Service
    source: str = "remote"


class KeptCheck(Struct, frozen=True, rename="pascal"):
    """A check as it is kept; one in maintenance has no definition."""

    check: CheckRow
    definition: CheckDefinition | None
    source: str = "remote"


class KeptState(Struct, frozen=True):
    """What a TTL check was told, and when (nanoseconds since 1970) that expires."""

    check_id: str = msgspec.field(name="CheckID")
    status: str = msgspec.field(name="Status")
    output: str = msgspec.field(name="Output")
    expires_ns: int = msgspec.field(name="ExpiresNs")


class Kept:
    """The files of one agent; without a data directory nothing is kept."""

    def __init__(self, data_dir: str) -> None:
        self._folder = Path(data_dir) if data_dir else None
        self._thread = ThreadPoolExecutor(1, "kept") if data_dir else None

    async def save_service(
        self, service: Service, token: str, checks: list[KeptCheck] | None = None
    ) -> None:
        """Keep a service with its checks, which come first: without it they are dropped.

        Raises:
            UnavailableError: it cannot be kept.
        """
        files = [(_CHECKS, check.check.check_id, check) for check in checks or []]
        await self._save([*files, (_SERVICES, service.id, KeptService(token, service))])

    async def save_check(self, check: KeptCheck) -> None:
        """Raises: UnavailableError when it cannot be kept."""
        await self._save([(_CHECKS, check.check.check_id, check)])

    async def save_state(self, state: KeptState) -> None:
        """Raises: UnavailableError when it cannot be kept."""
        await self._save([(_STATES, state.check_id, state)])

    async def forget_service(self, service_id: str) -> None:
        await self._run(self._delete, _SERVICES, service_id)

    async def forget_check(self, check_id: str) -> None:
        await self._run(self._delete, _CHECKS, check_id)
        await self._run(self._delete, _STATES, check_id)

    def services(self) -> list[KeptService]:
        return [*self._load(_SERVICES, KeptService)]

    def checks(self) -> list[KeptCheck]:
        return [*self._load(_CHECKS, KeptCheck)]

    def states(self) -> list[KeptState]:
        return [*self._load(_STATES, KeptState)]

    async def close(self) -> None:
        if self._thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)

    # ---------------------------------------------------------------- files

    async def _save(self, files: Sequence[tuple[str, str, Struct]]) -> None:
        texts = [(kind, id_, msgspec.json.encode(value)) for kind, id_, value in files]
        try:
            await self._run(self._write_all, texts)
        except OSError as error:
            kind = files[-1][0].partition("/")[0]
            raise UnavailableError(
                f"cannot keep {kind} in the data directory: {error.strerror}"
            ) from error

    async def _run(self, function: Callable[..., None], *arguments: Any) -> None:
        if self._thread is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, function, *arguments)

    def _path(self, kind: str, id_: str) -> Path:
        assert self._folder is not None
        name = hashlib.md5(id_.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        return self._folder / kind / name

    def _write_all(self, texts: list[tuple[str, str, bytes]]) -> None:
        for kind, id_, text in texts:
            self._write(kind, id_, text)

    def _write(self, kind: str, id_: str, text: bytes) -> None:
        path = self._path(kind, id_)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(_DRAFT)
        with open(draft, "wb") as file:
            file.write(text)
            if kind != _STATES:
                file.flush()
                os.fsync(file.fileno())
        os.replace(draft, path)

    def _delete(self, kind: str, id_: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path(kind, id_).unlink()

    def _load(self, kind: str, type_: type[T]) -> Iterator[T]:
        folder = self._folder / kind if self._folder is not None else None
        if folder is None or not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if path.is_dir() or path.suffix == _DRAFT:
                continue
            try:
                yield msgspec.json.decode(path.read_bytes(), type=type_)
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
                log.error("cannot read a kept registration: file=%s error=%s", path, error)

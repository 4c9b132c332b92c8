"""Background loops: one that fails is logged and started again, never silently lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from fairlead.errors import FairleadError

__all__ = ["Tasks"]

log = logging.getLogger("agent")

_RESTART_S = 1.0


class Tasks:
    """The loops of one agent."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, loop: Callable[[], Awaitable[None]]) -> None:
        """Run `loop` until `stop`, again and again if it fails."""
        self._tasks.append(asyncio.create_task(_supervise(name, loop), name=name))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks.clear()


async def _supervise(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
            return
        except FairleadError as error:
            text = "a background loop failed and is started again: loop=%s error=%s"
            log.error(text, name, error)
        except Exception:
            log.exception("a background loop failed and is started again: loop=%s", name)
        await asyncio.sleep(_RESTART_S)

"""Background loops: one that fails is logged and started again, never silently lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fairlead.errors import DeposedError, FairleadError

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
        """End them all. Whoever is cancelled in it is; then stop them again."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks.clear()


async def _supervise(name: str, loop: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await loop()
            return
        except DeposedError as error:
            # Of several servers another decides now; the feed has said so in the log.
            log.debug("a background loop waits for a leader: loop=%s why=%s", name, error)
        except FairleadError as error:
            text = "a background loop failed and is started again: loop=%s error=%s"
            log.error(text, name, error)
        except Exception:
            log.exception("a background loop failed and is started again: loop=%s", name)
        await asyncio.sleep(_RESTART_S)

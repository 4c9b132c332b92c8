"""One question to the majority for all who ask at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["Barriers"]


class Barriers:
    """Shares confirmations: each one serves all who asked before it was sent."""

    def __init__(self, confirm: Callable[[], Awaitable[None]]) -> None:
        self._confirm = confirm
        self._under_way: asyncio.Task[None] | None = None
        self._next: asyncio.Task[None] | None = None

    async def passed(self) -> None:
        """Return once a confirmation that was sent after this call has come.

        Raises:
            UnavailableError: it did not come.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._run(self._under_way), name="etcd-barrier")
        # Others wait for it too, whatever becomes of this caller.
        await asyncio.shield(self._next)

    async def _run(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        self._under_way, self._next = self._next, None
        await self._confirm()

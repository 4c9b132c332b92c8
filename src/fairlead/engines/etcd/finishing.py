"""The rows of a large batch, written after it is committed.

From its head on the batch counts, whatever becomes of the rest: whoever
committed it has been answered, and its rows are written for as long as the lead
lasts. Nothing else is written before they are there. If the lead ends first, the
next leader writes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from fairlead.engines.etcd.failures import FullError, RefusedError
from fairlead.engines.etcd.intents import Intent, Intents
from fairlead.engines.etcd.lead import Lead
from fairlead.errors import FairleadError, SettingsError

__all__ = ["Finishing"]

log = logging.getLogger("engine.etcd")

_RETRY_S = 0.5
# How long an etcd that gives no clear answer is tried, before another server may try its luck.
_GIVE_UP_S = 10.0


class Finishing:
    """Finishes what this server has committed; one batch at a time."""

    def __init__(self, intents: Intents, lead: Lead) -> None:
        self._intents = intents
        self._lead = lead
        self._task: asyncio.Task[None] | None = None
        self._refusal: FairleadError | None = None
        self._is_tried = asyncio.Event()

    def begin(self, lead: int, intent: Intent) -> None:
        """It is committed in the lead of that revision."""
        self._refusal = None
        self._is_tried.clear()
        self._task = asyncio.create_task(self._run(lead, intent), name="etcd-finishing")

    async def done(self) -> None:
        """Return once the rows of the last one are written, or the lead it was made in is over.

        Raises:
            FullError, RefusedError, SettingsError: etcd does not take them at the moment.
        """
        while self._task is not None:
            await self._is_tried.wait()
            if self._refusal is not None:
                raise self._refusal
            await asyncio.sleep(0)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, lead: int, intent: Intent) -> None:
        try:
            await self._finish(lead, intent)
        finally:
            self._task, self._refusal = None, None
            self._is_tried.set()

    async def _finish(self, lead: int, intent: Intent) -> None:
        is_begun = False
        give_up_at = time.monotonic() + _GIVE_UP_S
        while self._lead.revision == lead:
            try:
                await self._intents.finish(lead, intent, is_begun=is_begun)
                return
            except FairleadError as error:
                if not is_begun:
                    log.warning("a large batch is committed, its rows are not all there: %s", error)
                is_begun = True
                self._tell(error)
                if self._refusal is not None:
                    give_up_at = time.monotonic() + _GIVE_UP_S
                elif time.monotonic() > give_up_at:
                    self._lead.give_up(lead)
            await asyncio.sleep(_RETRY_S)

    def _tell(self, error: FairleadError) -> None:
        """Let those who wait go, if etcd has understood and refuses; else they wait."""
        if isinstance(error, (FullError, RefusedError, SettingsError)):
            self._refusal = error
            self._is_tried.set()
        else:
            self._refusal = None
            self._is_tried.clear()

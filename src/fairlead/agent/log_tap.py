"""The log as it is written, for whoever watches it from afar.

A reader may be slow, or not read at all: lines wait for it up to a limit, and
beyond that they are dropped and counted. Whoever logs never waits.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator

from fairlead.agent.logs import JsonFormatter, TextFormatter, attach, detach

__all__ = ["LogTap"]

_LIMIT_LINES = 512


class LogTap(logging.Handler):
    """One reader of the log, at a level of its own."""

    def __init__(self, level: int, *, as_json: bool, limit: int = _LIMIT_LINES) -> None:
        super().__init__(level)
        self.setFormatter(JsonFormatter() if as_json else TextFormatter(indent=""))
        self.dropped = 0
        self._limit = limit
        self._lines: deque[str] = deque()
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by whatever thread logs."""
        if len(self._lines) >= self._limit:
            self.dropped += 1
            return
        was_empty = not self._lines
        self._lines.append(self.format(record))
        if was_empty:
            self._loop.call_soon_threadsafe(self._filled.set)

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """What is logged from now on, as many lines at a time as there are."""
        attach(self)
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                text = "".join(f"{line}\n" for line in self._taken())
                yield text.encode("utf-8", "replace")
        finally:
            detach(self)

    def _taken(self) -> list[str]:
        lines = [self._lines.popleft() for _ in range(len(self._lines))]
        if self.dropped:
            dropped, self.dropped = self.dropped, 0
            record = logging.makeLogRecord(
                {
                    "name": "agent.monitor",
                    "levelno": logging.WARNING,
                    "msg": f"the reader is too slow, lines were dropped: lines={dropped}",
                }
            )
            lines.append(self.format(record))
        return lines

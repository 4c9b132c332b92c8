"""Lines for whoever waits, and how often the same is said."""

from __future__ import annotations

import logging
import time

__all__ = ["Progress"]

log = logging.getLogger("agent.etcd")

_PROGRESS_S = 5.0
_REPEAT_S = 60.0


class Progress:
    """A new line at once, the same one again after a while."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def info(self, text: str) -> None:
        if self._is_due(text, _PROGRESS_S):
            log.info("%s", text)

    def error(self, text: str) -> None:
        if self._is_due(text, _REPEAT_S):
            log.error("%s", text)

    def _is_due(self, text: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._said.get(text, -seconds) < seconds:
            return False
        self._said[text] = now
        return True

"""What etcd writes to stderr: lines for our log, and what it says when it gives up.

Rule: pure but for the log; knows etcd's words, of 3.4 and 3.5.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from enum import Enum
from typing import Any

__all__ = ["Output", "Verdict"]

log = logging.getLogger("etcd")

_REPEAT_S = 60.0
_KEPT_LINES = 40
_SHOWN = 300
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.DEBUG,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.ERROR,
    "panic": logging.ERROR,
    "fatal": logging.ERROR,
}
# Warnings of etcd's that ask nobody to do anything.
_NOISE = (
    "simple token is not cryptographically signed",
    "established TCP streaming connection",
    "closed TCP streaming connection",
    "exceeding recommended",
    "exceeded recommended",
    "apply request took too long",
    "lost TCP streaming connection",
    "prober detected unhealthy status",
    "timed out waiting for read index response",
    "stopped TCP streaming connection",
    "failed to find remote peer in cluster",
    "stepped down to follower",
    # A log that is replayed, and two that revoke the lease of a dead leader at once.
    "error=lease already exists",
    "error=lease not found",
    "error=EOF",
)
_NOT_SHOWN = {"level", "ts", "caller", "msg", "stacktrace", "logger"}


class Verdict(Enum):
    """Why it ended, as far as it said so."""

    UNKNOWN = "it gave no reason that is known"
    PORT = "its port is taken"
    FULL = "the disk is full"
    REMOVED = "this server was removed from the cluster"
    LOST = "its data is older than what it has confirmed, or gone"
    DAMAGED = "its data is damaged"
    CHANGED = "the cluster has other members than it was told"
    STRANGER = "it belongs to another cluster"


_SAYINGS: list[tuple[str, Verdict]] = [
    ("address already in use", Verdict.PORT),
    ("no space left on device", Verdict.FULL),
    ("permanently removed", Verdict.REMOVED),
    ("data-dir used by this member must be removed", Verdict.REMOVED),
    ("is out of range [lastIndex(", Verdict.LOST),
    ("has already been bootstrapped", Verdict.LOST),
    ("error validating peerURLs", Verdict.CHANGED),
    ("cluster ID mismatch", Verdict.STRANGER),
    ("crc mismatch", Verdict.DAMAGED),
    ("failed to recover v3 backend", Verdict.DAMAGED),
    ("failed to open WAL", Verdict.DAMAGED),
    ("failed to read WAL", Verdict.DAMAGED),
    ("failed to find database snapshot", Verdict.DAMAGED),
    ("invalid database", Verdict.DAMAGED),
    ("file not found", Verdict.DAMAGED),
]


class Output:
    """The lines of one run of etcd."""

    def __init__(self) -> None:
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._said: dict[str, float] = {}
        self.is_ending = False
        """It was told to end: what it complains of is of no interest."""

    @property
    def verdict(self) -> Verdict:
        """What its last lines amount to; what stands first in the table is taken first."""
        text = "\n".join(self._last)
        return next((found for saying, found in _SAYINGS if saying in text), Verdict.UNKNOWN)

    @property
    def last(self) -> str:
        """The last thing that it complained of, for people."""
        for line in reversed(self._last):
            level, text = _read(line)
            if level >= logging.ERROR:
                return text
        return "it said nothing"

    def feed(self, line: str) -> None:
        """One line that it wrote."""
        if not line.strip():
            return
        level, text = _read(line)
        if level > logging.DEBUG:
            self._last.append(line)
        if self.is_ending or any(noise in text for noise in _NOISE):
            level = logging.DEBUG
        if level <= logging.DEBUG or self._is_due(text):
            log.log(level, "%s", text)

    def _is_due(self, text: str) -> bool:
        """It repeats itself; once a minute is enough."""
        now = time.monotonic()
        message = text.partition(": ")[0]
        if now - self._said.get(message, -_REPEAT_S) < _REPEAT_S:
            return False
        self._said[message] = now
        return True


def _read(line: str) -> tuple[int, str]:
    """The level of a line and its text, as our log writes it.

    >>> _read('{"level":"warn","ts":"…","caller":"a.go:1","msg":"slow","took":"2s"}')
    (30, 'slow: took=2s')
    >>> _read("panic: runtime error")
    (40, 'panic: runtime error')
    """
    try:
        fields: dict[str, Any] = json.loads(line)
        level = _LEVELS[fields["level"]]
        message = str(fields["msg"])
    except (ValueError, KeyError, TypeError):
        # A panic and its stack, and what is written before the log is set up.
        is_panic = line.startswith(("panic", "fatal", "{"))
        return (logging.ERROR if is_panic else logging.DEBUG), line.rstrip()[:_SHOWN]
    parts = [f"{key}={value}" for key, value in fields.items() if key not in _NOT_SHOWN]
    return level, f"{message}: {' '.join(parts)}"[:_SHOWN] if parts else message[:_SHOWN]

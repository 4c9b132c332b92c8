"""Ctrl-C, a polite kill, a closed terminal: a verb that must clean up is told, and then ends.

It ends as a program does that those signals end, so that a shell or a supervisor
sees why: by the signal itself, or with 130 after Ctrl-C.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

__all__ = ["Interrupted", "Interrupts", "end_by"]

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CTRL_C_EXIT = 130
# Soon enough that nobody presses Ctrl-C again, and long after what was raised has been dealt with.
_REMIND_S = 0.1


class Interrupted(BaseException):
    """Raised where the program stands when a signal tells it to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Interrupts:
    """Within it, signals are kept until `at_once` is entered: requests are not cut in two.

    The second signal is never kept, for the first may have met an agent that hangs.
    """

    def __init__(self) -> None:
        self._caught = 0
        self._at_once = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        for number in _NUMBERS:
            # Who starts us with nohup wants us to survive the terminal. SIGINT is ignored in
            # whatever a script runs in the background, yet `kill -INT` is meant.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._remind)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        again, self._caught = bool(self._caught), number
        signal.setitimer(signal.ITIMER_REAL, _REMIND_S, _REMIND_S)
        if self._at_once or again:
            raise Interrupted(number)

    def _remind(self, number: int, frame: FrameType | None) -> None:
        """What was raised may have been lost: in a finalizer, or just before the program waits."""
        if self._at_once:
            raise Interrupted(self._caught)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within it, a signal raises `Interrupted` where the program stands."""
        self._at_once = True
        try:
            self._check()
            yield
            self._check()
        finally:
            self._at_once = False

    def _check(self) -> None:
        if self._caught:
            raise Interrupted(self._caught)


def end_by(number: int) -> NoReturn:
    """End the process as the signal would have."""
    if number != signal.SIGINT:
        sys.stdout.flush()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    sys.exit(_CTRL_C_EXIT)

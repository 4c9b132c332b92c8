"""Child processes of verbs that run one: through the shell or not, and ended politely.

Without a terminal, a child leads a process group of its own and all of it is
ended: what a shell started must not go on without the lock. At a terminal it
stays in ours, for only then may it ask for a password, and Ctrl-C reaches all of it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from glob import glob

from fairlead.errors import InvalidError

__all__ = ["GRACE_S", "Child", "failure"]

GRACE_S = 5.0
_POLL_S = 0.01


class Child:
    """A running command, and what it started."""

    def __init__(
        self, args: tuple[str, ...], *, shell: bool, env: dict[str, str], stdin: int | None
    ) -> None:
        """Start it; `stdin` as subprocess takes it.

        Raises:
            InvalidError: there is no such program.
        """
        shell_path = os.environ.get("SHELL") or "/bin/sh"
        command = [shell_path, "-c", " ".join(args)] if shell else list(args)
        words = [word.encode("utf-8", "surrogateescape") for word in command]
        self._leads_group = not _has_terminal()
        try:
            self._process = subprocess.Popen(
                words,
                env={**os.environ, **env},
                stdin=stdin,
                process_group=0 if self._leads_group else None,
            )
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise InvalidError(f"Error starting handler: {shlex.join(command)}: {why}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def feed(self, data: bytes) -> int:
        """Give it its stdin, all of it, and wait; the exit code."""
        self._process.communicate(data)
        return self._process.returncode

    def end(self) -> bool:
        """Ask it to end, and insist after a while; whether asking was enough.

        Who is interrupted meanwhile has no time left: then it is ended at once.
        """
        gone = False
        try:
            self._send(signal.SIGTERM)
            gone = self._ends_within(GRACE_S)
        finally:
            if not gone:
                self._send(signal.SIGKILL)
                self._process.wait()
        return gone

    def _ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.poll() is not None and not self._left():
                return True
            time.sleep(_POLL_S)
        return False

    def _send(self, number: int) -> bool:
        """False when nothing is left that could take a signal from us."""
        try:
            if self._leads_group:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)
                return self.poll() is None
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _left(self) -> bool:
        """Whether any of what it started runs on."""
        return self._send(0) and not (self._leads_group and _is_dead(self.pid))


def _is_dead(group: int) -> bool:
    """Whether all of a process group has ended, though nobody has asked yet how.

    In a container the first process may never ask; it may be ourselves. Elsewhere than on
    Linux this cannot be seen.
    """
    states = []
    for stat in glob("/proc/[0-9]*/stat"):
        # The process may end meanwhile.
        with suppress(OSError), open(stat, encoding="utf-8", errors="replace") as file:
            state, _, leader, *_ = file.read().rpartition(") ")[2].split()
            states += [state] if leader == str(group) else []
    return bool(states) and set(states) <= {"Z", "X"}


def _has_terminal() -> bool:
    """Whether a terminal controls this process, whatever its stdin is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def failure(code: int) -> str:
    """How a child ended, in Go's words.

    >>> failure(3), failure(-9)
    ('exit status 3', 'signal: killed')
    """
    if code >= 0:
        return f"exit status {code}"
    return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"

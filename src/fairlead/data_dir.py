"""The data directory: one agent at a time, by a lock that goes with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from fairlead.errors import SettingsError

__all__ = ["InUseError", "locked", "take_lock"]

_FILE = "lock"


class InUseError(SettingsError):
    """Another process has the folder."""


def take_lock(folder: Path) -> int:
    """Keep other processes out of the folder, made when it is not there, until the result, a
    file descriptor, is closed.

    Raises:
        InUseError: it is another process's.
        SettingsError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(
            f'data directory "{folder}" cannot be written: {error.strerror}',
            hint="give another one with -data-dir, or mend its permissions",
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(fd, 32).decode(errors="replace").strip()
        os.close(fd)
        raise InUseError(
            f'data directory "{folder}" is in use by another process'
            + (f" (pid {holder})" if holder else ""),
            hint="stop that agent first, or give another directory with -data-dir",
        ) from error
    # The name is a courtesy: on a full disk the lock holds without it.
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
    return fd


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock meanwhile. Raises: SettingsError, as `take_lock`."""
    fd = take_lock(folder)
    try:
        yield
    finally:
        os.close(fd)

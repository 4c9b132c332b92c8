"""The lock on a data directory: one process at a time uses it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from fairlead.errors import SettingsError

__all__ = ["lock_directory"]


def lock_directory(folder: Path) -> int:
    """Take the lock that keeps a second process out; it goes with this process.

    Raises:
        SettingsError: another has it, or the directory cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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
        raise SettingsError(
            f'data directory "{folder}" is in use by another process'
            + (f" (pid {holder})" if holder else ""),
            hint="stop that agent first, or give another directory with -data-dir",
        ) from error
    # The name is a courtesy: on a full disk the lock holds without it.
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()}\n".encode())
    return fd

"""Two ways to let an agent run out of disk, and to give it room again."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from tests.processes import AgentProcess

__all__ = ["DISKS", "Disk", "LimitedFiles", "SmallMount"]

_MOUNT_BYTES = 4 * 1024 * 1024
_BLOCK = b"\0" * 4096


class Disk(Protocol):
    """Where an agent keeps its data."""

    def fill(self, agent: AgentProcess) -> None:
        """From now on nothing can be written that needs more room."""

    def free(self, agent: AgentProcess) -> None:
        """There is room again."""

    def remove(self) -> None: ...


class SmallMount:
    """A file system of four megabytes, in memory; only root may mount one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={_MOUNT_BYTES}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")

    def fill(self, agent: AgentProcess) -> None:
        with (
            open(self._folder / "filler", "wb", buffering=0) as filler,
            contextlib.suppress(OSError),
        ):
            while filler.write(_BLOCK):
                pass

    def free(self, agent: AgentProcess) -> None:
        (self._folder / "filler").unlink()

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)


class LimitedFiles:
    """The agent's files may not grow beyond what the largest is now (RLIMIT_FSIZE)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fill(self, agent: AgentProcess) -> None:
        largest = max(file.stat().st_size for file in os.scandir(self._folder))
        self._limit(agent, largest)

    def free(self, agent: AgentProcess) -> None:
        self._limit(agent, resource.RLIM_INFINITY)

    def remove(self) -> None:
        pass

    def _limit(self, agent: AgentProcess, size: int) -> None:
        _, hard = resource.prlimit(agent.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(agent.pid, resource.RLIMIT_FSIZE, (size, hard))


DISKS = {"small-mount": SmallMount, "limited-files": LimitedFiles}

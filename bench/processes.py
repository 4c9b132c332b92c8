"""The machine's processes as /proc shows them, and which of them belong together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Process", "family", "processes"]


class Process(NamedTuple):
    """What /proc says of a process."""

    pid: int
    parent: int
    ticks: int  # used by it, and by the children it has seen end


def processes() -> Iterator[Process]:
    """All that run."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = file.read_text()
        except OSError:  # it has ended meanwhile
            continue
        fields = text.rpartition(")")[2].split()
        yield Process(int(file.parent.name), int(fields[1]), sum(map(int, fields[11:15])))


def family(pid: int, among: list[Process]) -> set[int]:
    """A process and those below it."""
    members = {pid}
    # Parents mostly come first, being older; those that do not are found in a second pass.
    for process in among * 2:
        if process.parent in members:
            members.add(process.pid)
    return members

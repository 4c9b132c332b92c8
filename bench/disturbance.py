"""How much of the machine others use while we measure.

Others are all processes but this one and those below it; the kernel's own
threads count for nobody, since they mostly do what wrk and the servers ask for.
In a container only its own processes are seen.
"""

from __future__ import annotations

import os
from pathlib import Path

from bench.processes import family, processes

__all__ = ["Disturbance"]

_KTHREADD = 2


class Disturbance:
    """The share of the processors that others used since this was made."""

    def __init__(self) -> None:
        self._total, self._others = _total(), _others()

    def share(self) -> float:
        """Between 0 and 1; what the host's other machines took is part of it."""
        total = _total() - self._total or 1
        return max(_others() - self._others, 0) / total


def _total() -> int:
    return sum(_processors())


def _others() -> int:
    """Ticks used by others; what an ended process used is its parent's, so that none are lost."""
    steal = _processors()[7]
    everyone = list(processes())
    ours = family(os.getpid(), everyone) | {_KTHREADD}
    foreign = (each for each in everyone if each.pid not in ours and each.parent != _KTHREADD)
    return steal + sum(each.ticks for each in foreign)


def _processors() -> list[int]:
    """Ticks as user, nice, system, idle, iowait, irq, softirq, steal."""
    line = Path("/proc/stat").read_text().partition("\n")[0]
    return [int(ticks) for ticks in line.split()[1:9]]

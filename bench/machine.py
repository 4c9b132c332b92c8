"""The machine the figures are from."""

from __future__ import annotations

import os
import platform
from datetime import date
from pathlib import Path

__all__ = ["describe"]


def describe(folder: Path) -> dict[str, str]:
    """What a reader must know to compare, in the order to print it."""
    return {
        "date": date.today().isoformat(),
        "CPU": f"{_value('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{int(_value('/proc/meminfo', 'MemTotal').split()[0]) / 1024**2:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "data on": _file_system(folder),
        "load average before": " ".join(f"{value:.2f}" for value in os.getloadavg()),
    }


def _value(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def _file_system(folder: Path) -> str:
    """The type of the file system `folder` is on: fsync costs nothing on a tmpfs."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    above = [(place, kind) for place, kind in mounts if folder.resolve().is_relative_to(place)]
    return max(above, key=lambda mount: len(mount[0]))[1] if above else "unknown"

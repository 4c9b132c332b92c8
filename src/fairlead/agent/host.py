"""What the machine is and has: `/v1/agent/host`, from Linux's /proc.

Names are Consul's (the Go package gopsutil). What the system does not say is 0
or empty, and why stands in `Errors`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from typing import Any

from fairlead.durations import SECOND_NS

__all__ = ["describe"]

_MEMORY = {
    "total": "MemTotal",
    "available": "MemAvailable",
    "free": "MemFree",
    "active": "Active",
    "inactive": "Inactive",
    "buffers": "Buffers",
    "cached": "Cached",
    "dirty": "Dirty",
    "shared": "Shmem",
    "slab": "Slab",
    "pagetables": "PageTables",
    "swapcached": "SwapCached",
    "commitlimit": "CommitLimit",
    "committedas": "Committed_AS",
    "swaptotal": "SwapTotal",
    "swapfree": "SwapFree",
    "mapped": "Mapped",
}
_CPU = {
    "vendorId": "vendor_id",
    "family": "cpu family",
    "model": "model",
    "physicalId": "physical id",
    "coreId": "core id",
    "modelName": "model name",
    "microcode": "microcode",
}
_KB = 1024
_DISK = "/"


def describe(now_ns: int) -> dict[str, Any]:
    """Everything, as far as it can be had."""
    errors: list[str] = []

    def had(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (OSError, ValueError, LookupError) as error:
            errors.append(str(error))
            return None

    return {
        "Memory": had(_memory),
        "CPU": had(lambda: list(_cpus())),
        "Host": had(lambda: _host(now_ns)),
        "Disk": had(_disk),
        "CollectionTime": now_ns,
        "Errors": errors or None,
    }


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _memory() -> dict[str, Any]:
    rows = (line.split() for line in _read("/proc/meminfo").splitlines())
    sizes = {row[0].rstrip(":"): int(row[1]) * _KB for row in rows}
    memory: dict[str, Any] = {name: sizes.get(key, 0) for name, key in _MEMORY.items()}
    used = memory["total"] - memory["free"] - memory["buffers"] - memory["cached"]
    percent = used * 100 / memory["total"] if memory["total"] else 0.0
    return {**memory, "used": used, "usedPercent": percent}


def _cpus() -> Iterator[dict[str, Any]]:
    for block in _read("/proc/cpuinfo").strip().split("\n\n"):
        lines = (line.partition(":") for line in block.splitlines())
        rows = {name.strip(): value.strip() for name, _, value in lines}
        yield {
            "cpu": int(rows.get("processor", 0)),
            **{name: rows.get(key, "") for name, key in _CPU.items()},
            "stepping": int(rows.get("stepping", "0").replace("unknown", "0")),
            "cores": 1,
            "mhz": float(rows.get("cpu MHz", 0)),
            "cacheSize": int(rows.get("cache size", "0").split()[0]),
            "flags": rows.get("flags", "").split(),
        }


def _host(now_ns: int) -> dict[str, Any]:
    uptime_s = int(float(_read("/proc/uptime").split()[0]))
    release = _os_release()
    system = platform.uname()
    return {
        "hostname": system.node,
        "uptime": uptime_s,
        "bootTime": now_ns // SECOND_NS - uptime_s,
        "procs": sum(name.isdigit() for name in os.listdir("/proc")),
        "os": system.system.lower(),
        "platform": release.get("ID", ""),
        "platformFamily": release.get("ID_LIKE") or release.get("ID", ""),
        "platformVersion": release.get("VERSION_ID", ""),
        "kernelVersion": system.release,
        "kernelArch": system.machine,
        "virtualizationSystem": "",
        "virtualizationRole": "",
        "hostid": "",
    }


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _disk() -> dict[str, Any]:
    stat = os.statvfs(_DISK)
    total, free = stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize
    used = total - stat.f_bfree * stat.f_frsize
    inodes_used = stat.f_files - stat.f_ffree
    return {
        "path": _DISK,
        "fstype": "",
        "total": total,
        "free": free,
        "used": used,
        "usedPercent": used * 100 / (used + free) if used + free else 0.0,
        "inodesTotal": stat.f_files,
        "inodesUsed": inodes_used,
        "inodesFree": stat.f_ffree,
        "inodesUsedPercent": inodes_used * 100 / stat.f_files if stat.f_files else 0.0,
    }

"""What the process itself is doing: gauges, and closing the metrics' intervals."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections import Counter
from collections.abc import Sized

from fairlead.agent.cluster.identity import is_server
from fairlead.core.members import ALIVE, FAILED
from fairlead.metrics import INTERVAL_S, Metrics
from fairlead.store import Store

__all__ = ["measure", "resident_bytes", "run"]

_PAGE_BYTES = resource.getpagesize()


def resident_bytes() -> int:
    """The memory the process occupies, 0 where the system does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES
    except OSError:
        return 0


def measure(metrics: Metrics, store: Store | None, sessions: int) -> None:
    """Set the gauges; names as Consul's where the thing is the same. A client has no store."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    metrics.gauge("runtime.sys_bytes", resident_bytes())
    metrics.gauge("runtime.num_goroutines", len(asyncio.all_tasks()))
    metrics.gauge("runtime.total_gc_runs", sum(stat["collections"] for stat in gc.get_stats()))
    metrics.gauge("runtime.cpu_seconds", usage.ru_utime + usage.ru_stime)
    metrics.gauge("runtime.open_files", len(os.listdir("/proc/self/fd")))
    if store is None:
        return
    metrics.gauge("session_ttl.active", sessions)
    metrics.gauge("raft.applied_index", store.state.index)
    metrics.gauge("raft.last_index", store.state.index)
    metrics.gauge("state.kv_entries", len(store.state.kv))
    metrics.gauge("state.sessions", len(store.state.sessions))
    metrics.gauge("rpc.queries_blocking", store.watches.readers)
    metrics.gauge("server.isLeader", int(store.leads))
    members = store.state.members.rows.values()
    counts = Counter((is_server(member), member.status) for member in members)
    for are_servers, name in ((True, "servers"), (False, "clients")):
        metrics.gauge(f"members.{name}.alive", counts[are_servers, ALIVE])
        metrics.gauge(f"members.{name}.failed", counts[are_servers, FAILED])


async def run(metrics: Metrics, store: Store | None, sessions: Sized) -> None:
    """Measure and rotate every interval; look at a follower's contact every second."""
    while True:
        measure(metrics, store, len(sessions))
        for _ in range(INTERVAL_S):
            if store is not None and store.is_open and not store.leads:
                metrics.sampler("raft.leader.lastContact").add(store.contact.age_ms)
            await asyncio.sleep(1)
        metrics.rotate()

"""The keys about other datacenters: joining them, and what is copied from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fairlead.settings.kinds import STR

if TYPE_CHECKING:
    from fairlead.settings.settings import Settings

__all__ = ["REPLICATION", "wan_faults"]

REPLICATION: dict[str, Any] = {"datacenter": STR, "prefix": STR}
"""The keys of one entry of `kv_replication`."""


def wan_faults(settings: Settings) -> list[str]:
    """What is wrong with them."""
    faults = []
    if settings.retry_max_wan < 0:
        faults.append(f"retry_max_wan cannot be {settings.retry_max_wan}. Must be 0 or more")
    for name in ("start_join_wan", "retry_join_wan"):
        for address in getattr(settings, name):
            if "provider=" in address:
                faults.append(
                    f'{name}: "{address}": looking servers up in a cloud is not supported'
                )
            elif not address.strip():
                faults.append(f"{name}: an address is empty")
    if settings.start_join_wan and not settings.server:
        faults.append("start_join_wan: Must be a server to join WAN cluster")
    if settings.ports_serf_wan <= 0 and (settings.start_join_wan or settings.retry_join_wan):
        faults.append("ports.serf_wan must be set to join other datacenters")
    return faults + _replication_faults(settings)


def _replication_faults(settings: Settings) -> list[str]:
    faults = []
    prefixes: list[str] = []
    for number, entry in enumerate(settings.kv_replication):
        name = f"kv_replication[{number}]"
        datacenter, prefix = entry.get("datacenter", ""), entry.get("prefix", "")
        if not datacenter:
            faults.append(f"{name}: datacenter must be set")
        elif datacenter == settings.datacenter:
            faults.append(f'{name}: "{datacenter}" is the datacenter of this agent')
        if not prefix:
            # Everything here would be deleted that is not there.
            faults.append(f"{name}: prefix must be set")
            continue
        if any(prefix.startswith(other) or other.startswith(prefix) for other in prefixes):
            faults.append(f'{name}: prefix "{prefix}" overlaps with another one')
        prefixes.append(prefix)
    return faults

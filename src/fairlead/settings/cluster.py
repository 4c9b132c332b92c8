"""The settings about other agents: whom to join, the secret, several servers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fairlead.b64 import decode_base64
from fairlead.errors import InvalidError

if TYPE_CHECKING:
    from fairlead.settings.settings import Settings

__all__ = ["SUPERVISED", "cluster_faults", "cluster_warnings", "etcd_faults", "is_one_of_several"]

SUPERVISED = "etcd:"
"""The engine of servers that form a cluster: an etcd that each runs itself."""

_KEY_SIZES = (16, 24, 32)


def is_one_of_several(settings: Settings) -> bool:
    """Whether it runs an etcd of its own; one that does need not be told how many there were."""
    has_joined = (Path(settings.data_dir) / "etcd" / "cluster.json").exists()
    return settings.server and (settings.bootstrap_expect > 1 or has_joined)


def cluster_faults(settings: Settings) -> list[str]:
    faults = []
    if settings.retry_max < 0:
        faults.append(f"retry_max cannot be {settings.retry_max}. Must be 0 or more")
    for name in ("start_join", "retry_join"):
        for address in getattr(settings, name):
            if "provider=" in address:
                faults.append(
                    f'{name}: "{address}": looking servers up in a cloud is not supported'
                )
            elif not address.strip():
                faults.append(f"{name}: an address is empty")
    try:
        key = decode_base64(settings.encrypt.encode("utf-8", "replace"))
    except InvalidError as error:
        faults.append(f"encrypt has invalid key: {error}")
    else:
        if settings.encrypt and len(key) not in _KEY_SIZES:
            faults.append("encrypt has invalid key: key size must be 16, 24 or 32 bytes")
    return faults


def etcd_faults(settings: Settings) -> list[str]:
    expect = settings.bootstrap_expect
    is_shared = settings.engine.startswith("etcd:")
    faults = []
    if expect > 1 and not settings.server:
        faults.append("'bootstrap_expect > 0' requires 'server = true'")
    elif expect > 1 and not is_shared:
        faults.append(
            f"bootstrap_expect cannot be {expect} with engine {settings.engine}: only one server "
            "can use it; leave engine out"
        )
    if settings.engine != SUPERVISED:
        return faults
    if not settings.data_dir:
        faults.append("data_dir cannot be empty when there are several servers")
    if settings.ports_server <= 0 and settings.ports_serf_lan <= 0:
        faults.append("ports.server or ports.serf_lan must be set: servers find each other there")
    if settings.ports_etcd <= 0:
        faults.append("ports.etcd must be set when there are several servers")
    return faults


def cluster_warnings(settings: Settings) -> list[str]:
    """In Consul's words."""
    expect = settings.bootstrap_expect
    if expect == 2:
        return ["A cluster with 2 servers will provide no failure tolerance."]
    if expect > 1 and expect % 2 == 0:
        return ["A cluster with an even number of servers does not achieve optimum fault tolerance"]
    return []

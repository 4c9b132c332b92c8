"""The instances a mesh client may connect to: proxies of a service, and native ones."""

from __future__ import annotations

from fairlead.core.health import Instance, health_instances
from fairlead.core.rows import Service
from fairlead.core.state import State

__all__ = ["connect_instances"]

_PROXY = "connect-proxy"


def connect_instances(state: State, name: str) -> list[Instance]:
    """By name, in lower case; every service is looked at."""
    wanted = name.lower()
    names = {
        row.service.service.lower()
        for row in state.services.rows.values()
        if _serves(row.service, wanted)
    }
    return [
        instance
        for found in sorted(names)
        for instance in health_instances(state, found, [], {})
        if _serves(instance.service, wanted)
    ]


def _serves(service: Service, wanted: str) -> bool:
    if service.connect.get("Native") is True:
        return service.service.lower() == wanted
    if service.kind != _PROXY:
        return False
    return str(service.proxy.get("DestinationServiceName", "")).lower() == wanted

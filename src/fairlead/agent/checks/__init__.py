"""The kinds of health check: one file each, and one row in the table.

Kinds without a file here are not polled: TTL and alias follow what they are told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fairlead.agent.checks import (
    dns,
    docker,
    grpc,
    h2ping,
    http,
    os_service,
    script,
    tcp,
    udp,
)
from fairlead.agent.checks.contract import Means, Outcome, Probe
from fairlead.agent.checks.definition import CheckDefinition

__all__ = ["KINDS", "Kind", "Means", "Outcome", "Probe", "make_probe"]


class Kind(NamedTuple):
    """When a check is of this kind, and how one is made."""

    applies: Callable[[CheckDefinition], bool]
    make: Callable[[CheckDefinition, Means], Probe]


KINDS: dict[str, Kind] = {
    "http": Kind(lambda check: bool(check.http), http.make),
    "tcp": Kind(lambda check: bool(check.tcp), tcp.make),
    "udp": Kind(lambda check: bool(check.udp), udp.make),
    "grpc": Kind(lambda check: bool(check.grpc), grpc.make),
    "h2ping": Kind(lambda check: bool(check.h2ping), h2ping.make),
    "dns": Kind(lambda check: bool(check.dns), dns.make),
    "docker": Kind(lambda check: bool(check.docker_container_id and check.args), docker.make),
    "script": Kind(lambda check: bool(check.args), script.make),
    "os_service": Kind(lambda check: bool(check.os_service), os_service.make),
}
"""In the order that decides when a check is of several kinds, which is Consul's."""


def make_probe(check: CheckDefinition, means: Means) -> Probe | None:
    """What runs the check; None when it is not polled."""
    for kind in KINDS.values():
        if kind.applies(check):
            return kind.make(check, means)
    return None

"""Checks and statuses: which instances of a service are well.

An instance is as well as the worst of its own checks and its node's. Being in
maintenance is a critical check with a name of its own.
Source: Consul's health page and `agent/consul/state/catalog.go` of 1.8.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter

from msgspec import Struct

from fairlead.core.directory import Meta, has_meta, instances
from fairlead.core.keys import node_key, node_prefix, service_key
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.core.service_indexes import service_index, service_watch
from fairlead.core.state import State

__all__ = [
    "ANY",
    "CRITICAL",
    "MAINTENANCE",
    "NODE_MAINTENANCE",
    "PASSING",
    "SERVICE_MAINTENANCE",
    "WARNING",
    "Instance",
    "aggregated",
    "health_instances",
    "is_passing",
    "read_health",
    "read_node_checks",
    "read_service_checks",
    "read_state_checks",
]

PASSING = "passing"
WARNING = "warning"
CRITICAL = "critical"
MAINTENANCE = "maintenance"
ANY = "any"

NODE_MAINTENANCE = "_node_maintenance"
SERVICE_MAINTENANCE = "_service_maintenance:"
"""Followed by the id of the service."""

_CHECKS = Watch("checks")


class Instance(Struct, frozen=True, gc=False, rename="pascal"):
    """An instance with its node and every check that concerns it."""

    node: NodeRow
    service: Service
    checks: list[CheckRow]


def aggregated(checks: Iterable[CheckRow]) -> str:
    """The worst of them: maintenance, critical, warning, passing."""
    worst = PASSING
    for check in checks:
        if check.check_id == NODE_MAINTENANCE or check.check_id.startswith(SERVICE_MAINTENANCE):
            return MAINTENANCE
        if check.status == CRITICAL or (check.status == WARNING and worst == PASSING):
            worst = check.status
    return worst


def is_passing(instance: Instance) -> bool:
    """Whether every check passes; an instance without checks does."""
    return all(check.status == PASSING for check in instance.checks)


def health_instances(state: State, name: str, tags: list[str], meta: Meta) -> list[Instance]:
    """The instances of a service with their checks, those of the node first."""
    checks, nodes = state.checks, state.nodes.rows
    found = []
    for row in instances(state, name, tags, meta):
        own = checks.groups.get(service_key(row.node, row.service.id), ())
        general = checks.groups.get(node_prefix(row.node), ())
        keys = [*sorted(general), *sorted(own)]
        found.append(
            Instance(
                nodes[node_key(row.node)], row.service, list(map(checks.rows.__getitem__, keys))
            )
        )
    return found


def read_health(state: State, name: str, tags: list[str], meta: Meta) -> Read:
    """The instances of a service, by node and id."""
    value = health_instances(state, name, tags, meta)
    return Read(value, service_index(state, name), (service_watch(name),))


def read_node_checks(state: State, node: str) -> Read:
    """Every check of a node and of its services."""
    prefix = node_prefix(node)
    return Read(
        state.checks.scan(prefix), state.floor(state.checks.index), (Watch("checks", prefix),)
    )


def read_service_checks(state: State, name: str, meta: Meta) -> Read:
    """The checks of a service's instances, by node and id; not those of their nodes."""
    keys = sorted(
        key
        for row in instances(state, name, [], meta)
        for key in state.checks.groups.get(service_key(row.node, row.service.id), ())
    )
    value = [state.checks.rows[key] for key in keys]
    return Read(value, state.floor(state.checks.index), (service_watch(name),))


def read_state_checks(state: State, status: str, meta: Meta) -> Read:
    """The checks that are in a state, or `any`."""
    if status == ANY:
        rows = state.checks.scan("")
    else:
        # Few are in most states: sorting those is much quicker than walking all in order.
        found = [(key, row) for key, row in state.checks.rows.items() if row.status == status]
        found.sort(key=itemgetter(0))
        rows = [row for _, row in found]
    if meta:
        nodes = state.nodes.rows
        rows = [row for row in rows if has_meta(nodes[node_key(row.node)], meta)]
    return Read(rows, state.floor(state.checks.index), (_CHECKS,))

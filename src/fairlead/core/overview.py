"""The whole catalog at a glance, as dashboards show it: services with counts, nodes with all."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter

from msgspec import Struct, field

from fairlead.core.health import Instance, health_instances
from fairlead.core.keys import node_prefix
from fairlead.core.per_service import PerService
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.core.state import State

__all__ = [
    "NodeDump",
    "ServiceSummary",
    "read_dump",
    "read_node_dump",
    "read_summaries",
    "summaries",
    "summaries_of",
]

_SOURCE = "external-source"
_WATCHES = (Watch("nodes"), Watch("services"), Watch("checks"))


class ServiceSummary(Struct, rename="pascal"):
    """A service with how many of its instances' checks are how."""

    name: str
    tags: list[str] | None
    nodes: list[str]
    instance_count: int
    checks_passing: int
    checks_warning: int
    checks_critical: int
    external_sources: list[str] | None
    gateway_config: dict[str, str] = field(default_factory=dict)


class NodeDump(Struct, rename="pascal"):
    """A node with everything on it."""

    id: str = field(name="ID")
    node: str
    address: str
    tagged_addresses: dict[str, str] | None
    meta: dict[str, str] | None
    services: list[Service]
    checks: list[CheckRow]


def summaries_of(state: State, key: str) -> list[ServiceSummary]:
    """Those of a service, one for each spelling of its name."""
    found = health_instances(state, key, [], {})
    return [_summary(name, found) for name in {each.service.service for each in found}]


def read_summaries(state: State, known: PerService[list[ServiceSummary]]) -> Read:
    """One for each service, by name; `known` is one of `summaries_of`."""
    value = [each for found in known.values(state) for each in found]
    value.sort(key=attrgetter("name"))
    index = max(state.nodes.index, state.services.index, state.checks.index)
    return Read(value, state.floor(index), _WATCHES)


def summaries(found: dict[str, list[Instance]]) -> list[ServiceSummary]:
    """One summary a service; an instance counts its node's checks as well."""
    return [_summary(name, found[name]) for name in sorted(found)]


def _summary(name: str, found: list[Instance]) -> ServiceSummary:
    tags = sorted({tag for instance in found for tag in instance.service.tags or ()})
    count = Counter(check.status for instance in found for check in instance.checks)
    sources = {(instance.service.meta or {}).get(_SOURCE, "") for instance in found} - {""}
    return ServiceSummary(
        name=name,
        tags=tags or None,
        nodes=[instance.node.node for instance in found],
        instance_count=len(found),
        checks_passing=count["passing"],
        checks_warning=count["warning"],
        checks_critical=count["critical"],
        external_sources=sorted(sources) or None,
    )


def read_dump(state: State) -> Read:
    """Every node with its services and checks, by name."""
    value = [_dump(state, node) for node in state.nodes.scan("")]
    index = max(state.nodes.index, state.services.index, state.checks.index)
    return Read(value, state.floor(index), _WATCHES)


def read_node_dump(state: State, name: str) -> Read:
    """One node, or None."""
    node = state.nodes.rows.get(name.lower())
    value = None if node is None else _dump(state, node)
    index = max(state.nodes.index, state.services.index, state.checks.index)
    return Read(value, state.floor(index), _WATCHES)


def _dump(state: State, node: NodeRow) -> NodeDump:
    prefix = node_prefix(node.node)
    return NodeDump(
        id=node.id,
        node=node.node,
        address=node.address,
        tagged_addresses=node.tagged_addresses,
        meta=node.meta,
        services=[row.service for row in state.services.scan(prefix)],
        checks=state.checks.scan(prefix),
    )

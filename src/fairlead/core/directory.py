"""Reading the catalog: nodes, services, and which instances of a service there are.

Indexes, as Consul reports them: of nodes that of their table, of one node the
newest of nodes and services, of one service its own (`core/service_indexes.py`).
Watches are narrower where they can be, so that fewer readers are woken.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from fairlead.core.keys import node_key, node_prefix
from fairlead.core.per_service import PerService
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import Address, NodeRow, Service, ServiceRow, Weights
from fairlead.core.service_indexes import service_index, service_watch
from fairlead.core.state import State

__all__ = [
    "Meta",
    "ServiceNode",
    "Tags",
    "find_node",
    "has_meta",
    "has_tags",
    "instances",
    "read_node",
    "read_nodes",
    "read_service",
    "read_services",
    "read_services_with",
    "tags_of",
]

_NODES = Watch("nodes")
_SERVICES = Watch("services")
# Consul takes shorter ones for names.
_LEAST_ID_PREFIX = 2

Meta = dict[str, str]


class ServiceNode(Struct, frozen=True, gc=False, rename="pascal"):
    """An instance with its node, flat, as `/v1/catalog/service` shows it."""

    id: str = field(name="ID")
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str] | None
    node_meta: dict[str, str] | None
    service_kind: str
    service_id: str = field(name="ServiceID")
    service_name: str
    service_tags: list[str]
    service_address: str
    service_tagged_addresses: dict[str, Address] | UnsetType
    service_weights: Weights
    service_meta: dict[str, str]
    service_port: int
    service_enable_tag_override: bool
    service_proxy: dict[str, Any]
    service_connect: dict[str, Any]
    create_index: int
    modify_index: int


# ---------------------------------------------------------------- nodes


def read_nodes(state: State, meta: Meta) -> Read:
    """The nodes that have all of `meta`, by name."""
    rows = [row for row in state.nodes.scan("") if has_meta(row, meta)]
    return Read(rows, state.floor(state.nodes.index), (_NODES,))


def find_node(state: State, name: str) -> NodeRow | None:
    """A node by its name, its id, or the beginning of its id if that is no other's."""
    row = state.nodes.rows.get(node_key(name))
    if row is not None or len(name) < _LEAST_ID_PREFIX:
        return row
    wanted = name.lower()
    keys = state.nodes.groups.get(wanted)
    if keys is None:
        begin = [ids for node_id, ids in state.nodes.groups.items() if node_id.startswith(wanted)]
        keys = begin[0] if len(begin) == 1 else None
    return state.nodes.rows[next(iter(keys))] if keys is not None and len(keys) == 1 else None


def read_node(state: State, name: str) -> Read:
    """`(node, its services)`, or None when there is no such node."""
    node = find_node(state, name)
    if node is None:
        return Read(None, state.floor(0), (_NODES,))
    prefix = node_prefix(node.node)
    services = [row.service for row in state.services.scan(prefix)]
    watches = (Watch("nodes", node_key(node.node), False), Watch("services", prefix))
    index = state.floor(max(state.nodes.index, state.services.index))
    return Read((node, services), index, watches)


def has_meta(node: NodeRow, wanted: Meta) -> bool:
    """Whether a node has all these pairs."""
    if not wanted:
        return True
    meta = node.meta or {}
    return all(meta.get(name) == value for name, value in wanted.items())


# ---------------------------------------------------------------- services


Tags = dict[str, list[str]]


def tags_of(state: State, key: str) -> Tags:
    """The tags any instance of a service has, by the spellings of its name."""
    found: dict[str, set[str]] = {}
    for row in map(state.services.rows.__getitem__, state.services.groups.get(key, ())):
        found.setdefault(row.service.service, set()).update(row.service.tags or ())
    return {name: sorted(tags) for name, tags in found.items()}


def read_services(state: State, known: PerService[Tags]) -> Read:
    """Every name of a service, with its tags; `known` is one of `tags_of`."""
    tags: Tags = {}
    for found in known.values(state):
        tags.update(found)
    value = {name: tags[name] for name in sorted(tags)}
    return Read(value, state.floor(state.services.index), (_SERVICES,))


def read_services_with(state: State, meta: Meta) -> Read:
    """The same of the instances on nodes that have all of `meta`."""
    tags: dict[str, set[str]] = {}
    for row in state.services.rows.values():
        if has_meta(state.nodes.rows[node_key(row.node)], meta):
            tags.setdefault(row.service.service, set()).update(row.service.tags or ())
    value = {name: sorted(tags[name]) for name in sorted(tags)}
    index = max(state.services.index, state.nodes.index)
    return Read(value, state.floor(index), (_SERVICES, _NODES))


def instances(state: State, name: str, tags: list[str], meta: Meta) -> list[ServiceRow]:
    """The instances of a service that have all tags, on nodes that have all of `meta`."""
    keys = state.services.groups.get(name.lower(), ())
    rows = [state.services.rows[key] for key in sorted(keys)]
    if tags:
        rows = [row for row in rows if has_tags(row.service, tags)]
    if meta:
        nodes = state.nodes.rows
        rows = [row for row in rows if has_meta(nodes[node_key(row.node)], meta)]
    return rows


def has_tags(service: Service, wanted: list[str]) -> bool:
    """Tags are compared without regard to case."""
    tags = {tag.lower() for tag in service.tags or ()}
    return all(tag.lower() in tags for tag in wanted)


def read_service(state: State, name: str, tags: list[str], meta: Meta) -> Read:
    """The instances of one service as `ServiceNode`s, by node and id."""
    value = [_flat(state, row) for row in instances(state, name, tags, meta)]
    return Read(value, service_index(state, name), (service_watch(name),))


def _flat(state: State, row: ServiceRow) -> ServiceNode:
    node, service = state.nodes.rows[node_key(row.node)], row.service
    return ServiceNode(
        id=node.id,
        node=node.node,
        address=node.address,
        datacenter=node.datacenter,
        tagged_addresses=node.tagged_addresses,
        node_meta=node.meta,
        service_kind=service.kind if service.kind is not UNSET else "",
        service_id=service.id,
        service_name=service.service,
        service_tags=service.tags or [],
        service_address=service.address,
        service_tagged_addresses=service.tagged_addresses,
        service_weights=service.weights,
        service_meta=service.meta or {},
        service_port=service.port,
        service_enable_tag_override=service.enable_tag_override,
        service_proxy=service.proxy,
        service_connect=service.connect,
        create_index=service.create_index,
        modify_index=service.modify_index,
    )

"""The rows: what is stored, sent to clients and kept on disk, one struct each.

The JSON of the API is these structs with the names and the field order of
Consul 1.8.7; the engines keep the same JSON, so what is on disk is legible.

Rule: rows are frozen. A change is a new row (`msgspec.structs.replace`).
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "PLAIN_PROXY",
    "Address",
    "AutopilotRow",
    "CheckRow",
    "CoordinateRow",
    "EventRow",
    "Failover",
    "KVRow",
    "LockDelayRow",
    "MarkRow",
    "MemberRow",
    "NodeRow",
    "Position",
    "QueryDNS",
    "QueryRow",
    "QueryService",
    "QueryTemplate",
    "Service",
    "ServiceCheck",
    "ServiceRow",
    "SessionRow",
    "TombstoneRow",
    "Weights",
]


class KVRow(Struct, frozen=True, gc=False, rename="pascal"):
    """One key. `session` is set only while a session holds it; an empty value is None."""

    lock_index: int
    key: str
    flags: int
    value: bytes | None
    session: str | UnsetType = UNSET
    create_index: int = 0
    modify_index: int = 0


class TombstoneRow(Struct, frozen=True, gc=False, rename="pascal"):
    """A key, or a whole prefix, that was deleted: prefix reads must notice it."""

    key: str
    index: int


class LockDelayRow(Struct, frozen=True, gc=False, rename="pascal"):
    """A key nobody may lock for `delay_ns`, until `until_ns`: its holder was invalidated."""

    key: str
    until_ns: int
    delay_ns: int = 0


class MarkRow(Struct, frozen=True, gc=False, rename="pascal"):
    """A named index of the state itself, such as how far tombstones were reaped."""

    name: str
    index: int


class ServiceCheck(Struct, frozen=True, rename="pascal"):
    """A service check a session depends on."""

    id: str = field(name="ID")
    namespace: str = ""


class SessionRow(Struct, frozen=True, rename="pascal"):
    """A session; `ttl` is the text its maker gave, `lock_delay` nanoseconds."""

    id: str = field(name="ID")
    name: str
    node: str
    lock_delay: int
    behavior: str
    ttl: str = field(name="TTL")
    node_checks: list[str] | None
    service_checks: list[ServiceCheck] | None
    checks: list[str] | UnsetType = UNSET
    create_index: int = 0
    modify_index: int = 0


class NodeRow(Struct, frozen=True, rename="pascal"):
    """A node of the catalog."""

    id: str = field(name="ID")
    node: str
    address: str
    datacenter: str
    tagged_addresses: dict[str, str] | None
    meta: dict[str, str] | None
    create_index: int = 0
    modify_index: int = 0


class Address(Struct, frozen=True, gc=False, rename="pascal"):
    """One of a service's addresses."""

    address: str
    port: int = 0


class Weights(Struct, frozen=True, gc=False, rename="pascal"):
    """The weight of an instance in SRV answers, by its health."""

    passing: int = 1
    warning: int = 1


PLAIN_PROXY: dict[str, Any] = {"MeshGateway": {}, "Expose": {}}
"""What every service shows that is no proxy. Never changed."""


class Service(Struct, frozen=True, gc=False, rename="pascal"):
    """An instance of a service, as `NodeService` of Consul's API shows it."""

    id: str = field(name="ID")
    service: str
    tags: list[str] | None = None
    address: str = ""
    tagged_addresses: dict[str, Address] | UnsetType = UNSET
    meta: dict[str, str] | None = None
    port: int = 0
    weights: Weights = Weights()
    enable_tag_override: bool = False
    proxy: dict[str, Any] = field(default_factory=lambda: PLAIN_PROXY)
    connect: dict[str, Any] = field(default_factory=dict)
    kind: str | UnsetType = UNSET
    create_index: int = 0
    modify_index: int = 0


class ServiceRow(Struct, frozen=True, gc=False, rename="pascal"):
    """An instance of a service on a node of the catalog."""

    node: str
    service: Service


class CheckRow(Struct, frozen=True, gc=False, rename="pascal"):
    """A health check of a node or of one of its services."""

    node: str
    check_id: str = field(name="CheckID")
    name: str
    status: str
    notes: str = ""
    output: str = ""
    service_id: str = field(name="ServiceID", default="")
    service_name: str = ""
    service_tags: list[str] = field(default_factory=list)
    type: str = ""
    definition: dict[str, Any] = field(default_factory=dict)
    create_index: int = 0
    modify_index: int = 0


class EventRow(Struct, frozen=True, gc=False, rename="pascal"):
    """A user event; `l_time` orders them. Each server keeps the last 256."""

    id: str = field(name="ID")
    name: str
    payload: bytes | None
    node_filter: str = ""
    service_filter: str = ""
    tag_filter: str = ""
    version: int = 1
    l_time: int = field(name="LTime", default=0)


class QueryTemplate(Struct, frozen=True, rename="pascal"):
    """How a query stands for all whose names begin as its own."""

    type: str = ""
    regexp: str = ""
    remove_empty_tags: bool = False


class Failover(Struct, frozen=True, rename="pascal"):
    """Where else to look when nothing is found."""

    nearest_n: int = 0
    datacenters: list[str] | None = None


class QueryService(Struct, frozen=True, rename="pascal"):
    """What a prepared query looks for."""

    service: str = ""
    failover: Failover = Failover()
    only_passing: bool = False
    ignore_check_ids: list[str] | None = field(name="IgnoreCheckIDs", default=None)
    near: str = ""
    tags: list[str] | None = None
    node_meta: dict[str, str] | None = None
    service_meta: dict[str, str] | None = None
    connect: bool = False


class QueryDNS(Struct, frozen=True, rename="pascal"):
    """How DNS answers from a prepared query are to be kept; `ttl` is a duration's text."""

    ttl: str = field(name="TTL", default="")


class QueryRow(Struct, frozen=True, rename="pascal"):
    """A prepared query."""

    id: str = field(name="ID")
    name: str
    session: str
    token: str
    template: QueryTemplate
    service: QueryService
    dns: QueryDNS = field(name="DNS")
    create_index: int = 0
    modify_index: int = 0


class Position(Struct, frozen=True, gc=False, rename="pascal"):
    """A network coordinate (Vivaldi); seconds."""

    vec: list[float]
    error: float
    adjustment: float
    height: float


class CoordinateRow(Struct, frozen=True, gc=False, rename="pascal"):
    """Where a node stands in the network."""

    node: str
    segment: str
    coord: Position


class MemberRow(Struct, frozen=True, gc=False, rename="pascal"):
    """An agent that is, or was, part of the cluster; `status` as in `core/members.py`."""

    name: str
    addr: str
    port: int
    tags: dict[str, str]
    status: int


class AutopilotRow(Struct, frozen=True, gc=False, rename="pascal"):
    """How the servers look after themselves; durations are nanoseconds."""

    cleanup_dead_servers: bool = True
    last_contact_threshold_ns: int = field(name="LastContactThreshold", default=200_000_000)
    max_trailing_logs: int = 250
    min_quorum: int = 0
    server_stabilization_time_ns: int = field(
        name="ServerStabilizationTime", default=10_000_000_000
    )
    redundancy_zone_tag: str = ""
    disable_upgrade_migration: bool = False
    upgrade_version_tag: str = ""
    create_index: int = 0
    modify_index: int = 0

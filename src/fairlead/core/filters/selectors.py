"""What can be selected: one table of names and kinds for each kind of row.

The names are those of the API's JSON; what Consul does not let a filter see
(indexes, definitions of checks) is not here.
"""

from __future__ import annotations

from msgspec import Struct

__all__ = [
    "CHECKS",
    "FLAG",
    "INSTANCES",
    "NODES",
    "NUMBER",
    "ROOTS",
    "SERVICES",
    "SERVICE_NODES",
    "TEXT",
    "TEXTS",
    "Each",
    "Field",
    "Flag",
    "Lookup",
    "Number",
    "Record",
    "Text",
    "Texts",
]


class Text(Struct, frozen=True):
    pass


class Number(Struct, frozen=True):
    pass


class Flag(Struct, frozen=True):
    pass


class Texts(Struct, frozen=True):
    """A list of texts."""


class Lookup(Struct, frozen=True):
    """An object whose names are data; `value` is what stands under each."""

    value: Field


class Record(Struct, frozen=True):
    """A row, or an object with fixed names; `row` says which of the two."""

    fields: dict[str, Field]
    row: bool = True


class Each(Struct, frozen=True):
    """A list of records: true of it is what is true of any of them."""

    record: Record


Field = Text | Number | Flag | Texts | Lookup | Record | Each

TEXT, NUMBER, FLAG, TEXTS = Text(), Number(), Flag(), Texts()
_PAIRS = Lookup(TEXT)
_ADDRESSES = Lookup(Record({"Address": TEXT, "Port": NUMBER}))
_WEIGHTS = Record({"Passing": NUMBER, "Warning": NUMBER})
_GATEWAY = Record({"Mode": TEXT}, row=False)
_UPSTREAM = Record(
    {
        "DestinationType": TEXT,
        "DestinationNamespace": TEXT,
        "DestinationName": TEXT,
        "Datacenter": TEXT,
        "LocalBindAddress": TEXT,
        "LocalBindPort": NUMBER,
        "MeshGateway": _GATEWAY,
    },
    row=False,
)
_EXPOSED_PATH = Record(
    {
        "ListenerPort": NUMBER,
        "Path": TEXT,
        "LocalPathPort": NUMBER,
        "Protocol": TEXT,
        "ParsedFromCheck": FLAG,
    },
    row=False,
)
_PROXY = Record(
    {
        "DestinationServiceName": TEXT,
        "DestinationServiceID": TEXT,
        "LocalServiceAddress": TEXT,
        "LocalServicePort": NUMBER,
        "Upstreams": Each(_UPSTREAM),
        "MeshGateway": _GATEWAY,
        "Expose": Record({"Checks": FLAG, "Paths": Each(_EXPOSED_PATH)}, row=False),
    },
    row=False,
)
_CONNECT = Record({"Native": FLAG}, row=False)

_NODES = Record(
    {
        "ID": TEXT,
        "Node": TEXT,
        "Address": TEXT,
        "Datacenter": TEXT,
        "TaggedAddresses": _PAIRS,
        "Meta": _PAIRS,
    }
)
"""`NodeRow`."""

_SERVICES = Record(
    {
        "Kind": TEXT,
        "ID": TEXT,
        "Service": TEXT,
        "Tags": TEXTS,
        "Address": TEXT,
        "TaggedAddresses": _ADDRESSES,
        "Meta": _PAIRS,
        "Port": NUMBER,
        "Weights": _WEIGHTS,
        "EnableTagOverride": FLAG,
        "Proxy": _PROXY,
        "Connect": _CONNECT,
    }
)
"""`Service`: the services of a node, and those of an agent."""

_CHECKS = Record(
    {
        "Node": TEXT,
        "CheckID": TEXT,
        "Name": TEXT,
        "Status": TEXT,
        "Notes": TEXT,
        "Output": TEXT,
        "ServiceID": TEXT,
        "ServiceName": TEXT,
        "ServiceTags": TEXTS,
        "Type": TEXT,
    }
)
"""`CheckRow`."""

_INSTANCES = Record({"Node": _NODES, "Service": _SERVICES, "Checks": Each(_CHECKS)})
"""`Instance`, as the health of a service is answered."""

_SERVICE_NODES = Record(
    {
        "ID": TEXT,
        "Node": TEXT,
        "Address": TEXT,
        "Datacenter": TEXT,
        "TaggedAddresses": _PAIRS,
        "NodeMeta": _PAIRS,
        "ServiceKind": TEXT,
        "ServiceID": TEXT,
        "ServiceName": TEXT,
        "ServiceTags": TEXTS,
        "ServiceAddress": TEXT,
        "ServiceTaggedAddresses": _ADDRESSES,
        "ServiceWeights": _WEIGHTS,
        "ServiceMeta": _PAIRS,
        "ServicePort": NUMBER,
        "ServiceEnableTagOverride": FLAG,
        "ServiceProxy": _PROXY,
        "ServiceConnect": _CONNECT,
    }
)
"""`ServiceNode`, as the catalog answers a service."""

NODES = "nodes"
SERVICES = "services"
CHECKS = "checks"
INSTANCES = "instances"
SERVICE_NODES = "service nodes"
ROOTS: dict[str, Record] = {
    NODES: _NODES,
    SERVICES: _SERVICES,
    CHECKS: _CHECKS,
    INSTANCES: _INSTANCES,
    SERVICE_NODES: _SERVICE_NODES,
}
"""What is filtered, and what can be selected in it."""

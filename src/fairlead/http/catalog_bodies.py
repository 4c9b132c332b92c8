"""Bodies that describe nodes, services and checks, decoded into rows.

The usual spelling is decoded at once; any other (names in another case, nulls)
is first made usual, field by field, which is also what finds unknown fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, field

from fairlead.core.rows import PLAIN_PROXY, Address, CheckRow, NodeRow, Service, Weights
from fairlead.errors import InvalidError
from fairlead.http.bodies import decode_json, json_type
from fairlead.http.kept_definitions import kept_definition, type_of

__all__ = [
    "CheckBody",
    "Deregistration",
    "NodeBody",
    "Registration",
    "ServiceBody",
    "check_row",
    "convert_body",
    "decode_deregistration",
    "decode_registration",
    "node_row",
    "service_row",
]

_DECODE = "Request decode failed"
S = TypeVar("S")
_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Body(Struct, rename="pascal", forbid_unknown_fields=True):
    pass


class _AddressBody(_Body):
    address: str = ""
    port: _Int = 0


class _WeightsBody(_Body):
    passing: _Int = 0
    warning: _Int = 0


class _GatewayBody(_Body, omit_defaults=True):
    mode: str = ""


class _PathBody(_Body, omit_defaults=True):
    listener_port: _Int = 0
    path: str = ""
    local_path_port: _Int = 0
    protocol: str = ""
    parsed_from_check: bool = False


class _ExposeBody(_Body, omit_defaults=True):
    checks: bool = False
    paths: list[_PathBody] = []


class _UpstreamBody(_Body):
    destination_type: str = ""
    destination_namespace: str | msgspec.UnsetType = UNSET
    destination_name: str = ""
    datacenter: str = ""
    local_bind_address: str | msgspec.UnsetType = UNSET
    local_bind_port: _Int = 0
    config: dict[str, Any] | None = None
    mesh_gateway: _GatewayBody = field(default_factory=_GatewayBody)


class _ProxyBody(_Body):
    destination_service_name: str | msgspec.UnsetType = UNSET
    destination_service_id: str | msgspec.UnsetType = field(
        name="DestinationServiceID", default=UNSET
    )
    local_service_address: str | msgspec.UnsetType = UNSET
    local_service_port: _Int | msgspec.UnsetType = UNSET
    config: dict[str, Any] | msgspec.UnsetType = UNSET
    upstreams: list[_UpstreamBody] | msgspec.UnsetType = UNSET
    mesh_gateway: _GatewayBody = field(default_factory=_GatewayBody)
    expose: _ExposeBody = field(default_factory=_ExposeBody)


class ServiceBody(_Body):
    """A service as it is registered in the catalog."""

    kind: str = ""
    id: str = field(name="ID", default="")
    service: str = ""
    tags: list[str] = []
    address: str = ""
    tagged_addresses: dict[str, _AddressBody] = {}
    meta: dict[str, str] | None = None
    port: _Int = 0
    weights: _WeightsBody | None = None
    enable_tag_override: bool = False
    proxy: _ProxyBody | None = None
    connect: dict[str, Any] = {}
    create_index: _Int = 0
    modify_index: _Int = 0


class CheckBody(_Body):
    """A check as it is registered in the catalog; its definition is kept, not run."""

    node: str = ""
    check_id: str = field(name="CheckID", default="")
    name: str = ""
    status: str = ""
    notes: str = ""
    output: str = ""
    service_id: str = field(name="ServiceID", default="")
    service_name: str = ""
    service_tags: list[str] = []
    type: str = ""
    definition: dict[str, Any] = {}
    create_index: _Int = 0
    modify_index: _Int = 0


class NodeBody(_Body):
    """A node, as a transaction writes it."""

    id: str = field(name="ID", default="")
    node: str = ""
    address: str = ""
    datacenter: str = ""
    tagged_addresses: dict[str, str] | None = None
    meta: dict[str, str] | None = None
    create_index: _Int = 0
    modify_index: _Int = 0


class Registration(_Body):
    """The body of `/v1/catalog/register`."""

    datacenter: str = ""
    id: str = field(name="ID", default="")
    node: str = ""
    address: str = ""
    tagged_addresses: dict[str, str] | None = None
    node_meta: dict[str, str] | None = None
    service: ServiceBody | None = None
    check: CheckBody | None = None
    checks: list[CheckBody] = []
    skip_node_update: bool = False


class Deregistration(_Body):
    """The body of `/v1/catalog/deregister`."""

    datacenter: str = ""
    node: str = ""
    address: str = ""
    service_id: str = field(name="ServiceID", default="")
    check_id: str = field(name="CheckID", default="")


_registration = msgspec.json.Decoder(Registration).decode
_deregistration = msgspec.json.Decoder(Deregistration).decode
_FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decode_registration(body: bytes) -> Registration:
    """Raises: InvalidError, for what is no JSON, or not of this shape."""
    try:
        return _registration(body)
    except _FAULTS:
        return convert_body(decode_json(body, _DECODE), Registration, _DECODE)


def decode_deregistration(body: bytes) -> Deregistration:
    """Raises: InvalidError, for what is no JSON, or not of this shape."""
    try:
        return _deregistration(body)
    except _FAULTS:
        return convert_body(decode_json(body, _DECODE), Deregistration, _DECODE)


# ---------------------------------------------------------------- any spelling


class _Shape:
    """The names a struct has, by lower case, and the shape of what is below each."""

    def __init__(self, kind: type[Struct], **below: _Shape | _Each) -> None:
        self.names = {each.encode_name.lower(): each.encode_name for each in _fields(kind)}
        self.below = below


class _Each:
    """A list, or an object whose names are data, of things of one shape."""

    def __init__(self, shape: _Shape | None = None) -> None:
        self.shape = shape


def _fields(kind: type[Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


_GATEWAY = _Shape(_GatewayBody)
_SHAPES: dict[type, _Shape] = {
    NodeBody: _Shape(NodeBody, Meta=_Each(), TaggedAddresses=_Each()),
    CheckBody: _Shape(CheckBody),
    Deregistration: _Shape(Deregistration),
    ServiceBody: _Shape(
        ServiceBody,
        Tags=_Each(),
        TaggedAddresses=_Each(_Shape(_AddressBody)),
        Meta=_Each(),
        Weights=_Shape(_WeightsBody),
        Proxy=_Shape(
            _ProxyBody,
            Upstreams=_Each(_Shape(_UpstreamBody, MeshGateway=_GATEWAY)),
            MeshGateway=_GATEWAY,
            Expose=_Shape(_ExposeBody, Paths=_Each(_Shape(_PathBody))),
        ),
    ),
}
_SHAPES[Registration] = _Shape(
    Registration,
    NodeMeta=_Each(),
    TaggedAddresses=_Each(),
    Service=_SHAPES[ServiceBody],
    Check=_SHAPES[CheckBody],
    Checks=_Each(_SHAPES[CheckBody]),
)


def convert_body(value: Any, kind: type[S], prefix: str) -> S:
    """A decoded value as `kind`, whatever the case of its names; null is nothing.

    Raises:
        InvalidError: an unknown field, or a value of another type.
    """
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise InvalidError(f"{prefix}: json: cannot unmarshal {json_type(value)} into an object")
    usual = _usual(value, _SHAPES[kind], prefix)
    try:
        return msgspec.convert(usual, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        raise InvalidError(f"{prefix}: json: {text[:1].lower()}{text[1:]}") from error


def _usual(value: Any, shape: _Shape | _Each | None, prefix: str) -> Any:
    if isinstance(shape, _Each):
        below = shape.shape
        empty: Any = {} if below is not None else ""
        if isinstance(value, list):
            return [_usual(empty if item is None else item, below, prefix) for item in value]
        if isinstance(value, dict):
            return {
                name: _usual(empty if item is None else item, below, prefix)
                for name, item in value.items()
            }
        return value
    if shape is None or not isinstance(value, dict):
        return value
    found = {}
    for name, item in value.items():
        usual = shape.names.get(name.lower())
        if usual is None:
            more = " - Namespaces are a Consul Enterprise feature" if name == "Namespace" else ""
            raise InvalidError(f'{prefix}: json: unknown field "{name}"{more}')
        if item is not None:
            found[usual] = _usual(item, shape.below.get(usual), prefix)
    return found


# ---------------------------------------------------------------- rows


def node_row(body: Registration, datacenter: str) -> NodeRow:
    return NodeRow(
        body.id, body.node, body.address, datacenter, body.tagged_addresses, body.node_meta
    )


def service_row(body: ServiceBody) -> Service:
    """Raises: InvalidError, for a proxy that cannot be one."""
    if body.kind == "connect-proxy":
        _check_proxy(body)
    addresses = {
        name: Address(address.address, address.port)
        for name, address in body.tagged_addresses.items()
    }
    weights = body.weights
    usual = weights is None or (weights.passing == 0 and weights.warning == 0)
    return Service(
        id=body.id,
        service=body.service,
        tags=body.tags,
        address=body.address,
        tagged_addresses=addresses or UNSET,
        meta=body.meta,
        port=body.port,
        weights=_PLAIN if weights is None or usual else Weights(weights.passing, weights.warning),
        enable_tag_override=body.enable_tag_override,
        proxy=PLAIN_PROXY if body.proxy is None else msgspec.to_builtins(body.proxy),
        connect=_connect(body.connect),
        kind=body.kind or UNSET,
    )


_PLAIN = Weights()


def _check_proxy(body: ServiceBody) -> None:
    faults = []
    if body.proxy is None or not body.proxy.destination_service_name:
        faults.append("Proxy.DestinationServiceName must be non-empty for Connect proxy services")
    if body.port == 0:
        faults.append("Port must be set for a Connect proxy")
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        lines = "".join(f"\t* {fault}\n" for fault in faults)
        raise InvalidError(f"{len(faults)} {noun} occurred:\n{lines}\n")


def _connect(connect: Mapping[str, Any]) -> dict[str, Any]:
    """Only whether it speaks the mesh's protocol itself is kept."""
    native = any(name.lower() == "native" and value is True for name, value in connect.items())
    return {"Native": True} if native else {}


def check_row(body: CheckBody, *, typed: bool = True) -> CheckRow:
    """A row; its type follows from its definition when none is given, if `typed`.

    Raises:
        InvalidError: its definition holds a duration that is none.
    """
    definition = kept_definition(body.definition) if body.definition else {}
    return CheckRow(
        node=body.node,
        check_id=body.check_id,
        name=body.name,
        status=body.status,
        notes=body.notes,
        output=body.output,
        service_id=body.service_id,
        service_name=body.service_name,
        service_tags=body.service_tags,
        type=body.type or (type_of(definition) if typed and definition else ""),
        definition=definition,
    )

"""What a service is to be: the record of a registration, and what is wrong with one.

A registration comes as JSON from the API or from a configuration file; both end
as a `ServiceDefinition`, and from here on nobody asks which it was. The order
and the words of the faults are Consul's.

Rule: nothing here knows which services there are.
"""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from msgspec import UNSET, Struct, field, structs, to_builtins

from fairlead.agent.checks.definition import (
    CheckDefinition,
    refuse_scripts,
    type_of,
    validate,
)
from fairlead.core.health import NODE_MAINTENANCE, SERVICE_MAINTENANCE
from fairlead.core.rows import PLAIN_PROXY, Address, CheckRow, Service, Weights
from fairlead.errors import InvalidError
from fairlead.settings.settings import Settings

__all__ = [
    "API",
    "CONFIGURATION",
    "STATUSES",
    "AddressDefinition",
    "ConnectDefinition",
    "ProxyDefinition",
    "ServiceDefinition",
    "WeightsDefinition",
    "check_row",
    "check_scripts",
    "checks_of",
    "cut",
    "dns_warning",
    "maintenance_row",
    "service_of",
]

API = "remote"
CONFIGURATION = "local"
"""Where a registration came from, in Consul's words."""

STATUSES = frozenset({"passing", "warning", "critical"})

_META_KEY = re.compile(r"[a-zA-Z0-9_-]+")
_META_PAIRS, _META_KEY_LENGTH, _META_VALUE_LENGTH = 64, 128, 512
_DNS_LABEL = re.compile(r"[a-zA-Z0-9-]{1,63}")
_GATEWAYS = ("mesh-gateway", "terminating-gateway")
_MAX_WEIGHT = 65_535


class AddressDefinition(Struct, frozen=True):
    """One of a service's addresses, as it was given."""

    address: str = ""
    port: int = 0


class WeightsDefinition(Struct, frozen=True):
    """Weights as they were given: what is left out is zero."""

    passing: int = 0
    warning: int = 0


class ProxyDefinition(Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """For whom a proxy stands; the parts a mesh reads are taken as they are."""

    destination_service_name: str = ""
    destination_service_id: str = field(name="DestinationServiceID", default="")
    local_service_address: str = ""
    local_service_port: int = 0
    config: dict[str, Any] = {}
    upstreams: list[Any] = []
    mesh_gateway: dict[str, Any] = {}
    expose: dict[str, Any] = {}


class ConnectDefinition(Struct, frozen=True):
    """How a service takes part in a mesh."""

    native: bool = False
    sidecar_service: Any = None


class ServiceDefinition(Struct, frozen=True):
    """A service as it was registered, with its checks."""

    id: str = ""
    name: str = ""
    tags: list[str] = []
    address: str = ""
    tagged_addresses: dict[str, AddressDefinition] = {}
    meta: dict[str, str] = {}
    port: int = 0
    kind: str = ""
    weights: WeightsDefinition | None = None
    enable_tag_override: bool = False
    token: str = ""
    proxy: ProxyDefinition = ProxyDefinition()
    connect: ConnectDefinition = ConnectDefinition()
    check: CheckDefinition = CheckDefinition()
    checks: list[CheckDefinition] = []

    @property
    def own_id(self) -> str:
        return self.id or self.name


def service_of(definition: ServiceDefinition) -> Service:
    """The row of a service.

    Raises:
        InvalidError: in Consul's words.
    """
    if not definition.name:
        raise InvalidError("Missing service name")
    if _is_any(definition.address):
        raise InvalidError("Invalid service address")
    weights = definition.weights
    if weights is not None:
        _check_weights(weights)
    _check_meta(definition.meta)
    _type_of(definition)
    row = Service(
        id=definition.own_id,
        service=definition.name,
        tags=definition.tags,
        address=definition.address,
        meta=definition.meta or None,
        port=definition.port,
        weights=Weights() if weights is None else Weights(weights.passing, weights.warning),
        enable_tag_override=definition.enable_tag_override,
        proxy={**PLAIN_PROXY, **to_builtins(definition.proxy)},
        connect={"Native": True} if definition.connect.native else {},
        kind=definition.kind or UNSET,
    )
    addresses = _tagged(definition)
    return structs.replace(row, tagged_addresses=addresses) if addresses else row


def checks_of(definition: ServiceDefinition) -> list[CheckDefinition]:
    """The checks of a service with their ids and names, in order.

    Raises:
        InvalidError: one of them cannot be; in Consul's words.
    """
    checks = [definition.check] if definition.check != CheckDefinition() else []
    checks += definition.checks
    service_id = definition.own_id
    for check in checks:
        try:
            validate(check)
        except InvalidError as error:
            raise InvalidError(f"Invalid check: {error}") from error
    if any(check.status and check.status not in STATUSES for check in checks):
        raise InvalidError("Status for checks must 'passing', 'warning', 'critical'")
    named = []
    for number, check in enumerate(checks, 1):
        own = f"service:{service_id}" + (f":{number}" if len(checks) > 1 else "")
        named.append(
            structs.replace(
                check,
                check_id=check.check_id or own,
                name=check.name or f"Service '{definition.name}' check",
                service_id=service_id,
                token=definition.token,
            )
        )
    return named


def check_row(node: str, check: CheckDefinition, service: Service | None) -> CheckRow:
    """The row of a check that has not run yet."""
    return CheckRow(
        node=node,
        check_id=check.check_id,
        name=check.name,
        status=check.status or "critical",
        notes=check.notes,
        service_id=check.service_id,
        service_name=service.service if service is not None else "",
        service_tags=(service.tags or []) if service is not None else [],
        type=type_of(check),
    )


def maintenance_row(node: str, service: Service | None, reason: str) -> CheckRow:
    """The check that stands for the maintenance of a service, or of the whole node."""
    what = "node" if service is None else "service"
    return CheckRow(
        node=node,
        check_id=NODE_MAINTENANCE if service is None else SERVICE_MAINTENANCE + service.id,
        name=f"{what.capitalize()} Maintenance Mode",
        status="critical",
        notes=reason
        or f"Maintenance mode is enabled for this {what}, but no reason was provided. "
        "This is a default message.",
        service_id=service.id if service is not None else "",
        service_name=service.service if service is not None else "",
        service_tags=(service.tags or []) if service is not None else [],
        type="maintenance",
    )


def check_scripts(check: CheckDefinition, settings: Settings, source: str) -> None:
    """Raises: InvalidError when commands may not be run on behalf of `source`."""
    everywhere = settings.enable_script_checks
    refuse_scripts(
        check,
        allowed=everywhere or settings.enable_local_script_checks,
        remote_allowed=everywhere,
        remote=source == API,
    )


def cut(output: str, limit: int) -> str:
    """At most so many bytes of an output, in whole characters.

    >>> cut("abcdef", 3), cut("abc", 3)
    ('abc ... (captured 3 of 6 bytes)', 'abc')
    """
    raw = output.encode("utf-8", "replace")
    if len(raw) <= limit:
        return output
    kept = raw[:limit].decode("utf-8", "ignore")
    return f"{kept} ... (captured {limit} of {len(raw)} bytes)"


def dns_warning(name: str) -> str:
    """What to log of a name that DNS cannot carry; empty when it can."""
    if _DNS_LABEL.fullmatch(name):
        return ""
    return (
        f"Service name {json.dumps(name)} will not be discoverable via DNS due to invalid "
        "characters. Valid characters include all alpha-numerics and dashes."
    )


# ---------------------------------------------------------------- parts


def _is_any(address: str) -> bool:
    """Whether it stands for every address there is."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_unspecified
    except ValueError:
        return False


def _check_weights(weights: WeightsDefinition) -> None:
    if weights.passing < 1:
        raise InvalidError("Invalid Weights: Passing must be greater than 0")
    if weights.warning < 0:
        raise InvalidError("Invalid Weights: Warning must be greater or equal than 0")
    if max(weights.passing, weights.warning) > _MAX_WEIGHT:
        raise InvalidError("Invalid Weights: DNS Weight must be between 0 and 65535")


def _check_meta(meta: dict[str, str]) -> None:
    if len(meta) > _META_PAIRS:
        raise InvalidError(
            "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs"
        )
    for key, value in meta.items():
        fault = _meta_fault(key, value)
        if fault:
            raise InvalidError(
                f"Invalid Service Meta: Couldn't load metadata pair ('{key}', '{value}'): {fault}"
            )


def _meta_fault(key: str, value: str) -> str:
    if not key:
        return "Key cannot be blank"
    if not _META_KEY.fullmatch(key):
        return "Key contains invalid characters"
    if len(key) > _META_KEY_LENGTH:
        return f"Key is too long (limit: {_META_KEY_LENGTH} characters)"
    if key.startswith("consul-"):
        return "Key prefix 'consul-' is reserved for internal use"
    if len(value) > _META_VALUE_LENGTH:
        return f"Value is too long (limit: {_META_VALUE_LENGTH} characters)"
    return ""


def _type_of(definition: ServiceDefinition) -> None:
    """Proxies and gateways must say for whom and where."""
    faults = []
    if definition.kind == "connect-proxy":
        if not definition.proxy.destination_service_name.strip():
            faults.append(
                "Proxy.DestinationServiceName must be non-empty for Connect proxy services"
            )
        if not definition.port:
            faults.append("Port must be set for a Connect proxy")
        if definition.connect.native:
            faults.append("A Proxy cannot also be Connect Native, only typical services")
    elif definition.kind in _GATEWAYS and not definition.port:
        faults.append(f"Port must be non-zero for a {definition.kind}")
    if faults:
        count = f"{len(faults)} error{'s' if len(faults) > 1 else ''} occurred:"
        raise InvalidError("\n".join([count, *(f"\t* {fault}" for fault in faults), "", ""]))
    if definition.connect.sidecar_service is not None:
        raise InvalidError("sidecar_service is not supported: register the proxy as a service")


def _tagged(definition: ServiceDefinition) -> dict[str, Address]:
    """The addresses by tag; an IP address of the service is one of them under two names."""
    tagged = {
        name: Address(given.address, given.port)
        for name, given in definition.tagged_addresses.items()
    }
    try:
        version = ipaddress.ip_address(definition.address).version
    except ValueError:
        return tagged
    own = Address(definition.address, definition.port)
    for network in ("lan", "wan"):
        tagged.setdefault(f"{network}_ipv{version}", own)
    return tagged

"""Services from configuration files, as bodies of the API."""

from __future__ import annotations

import os
from typing import Any

from fairlead.cli.output import explained
from fairlead.errors import InvalidError
from fairlead.settings import sources

__all__ = ["services_of"]

# Keys whose name in the API is not their words put together.
_NAMES = {
    "id": "ID",
    "ttl": "TTL",
    "http": "HTTP",
    "tcp": "TCP",
    "udp": "UDP",
    "dns": "DNS",
    "grpc": "GRPC",
    "h2ping": "H2PING",
    "grpc_use_tls": "GRPCUseTLS",
    "h2ping_use_tls": "H2PingUseTLS",
    "tcp_use_tls": "TCPUseTLS",
    "tls_skip_verify": "TLSSkipVerify",
    "tls_server_name": "TLSServerName",
    "os_service": "OSService",
    "docker_container_id": "DockerContainerID",
    "service_id": "ServiceID",
    "destination_service_id": "DestinationServiceID",
}
# What stands within is data: its names are not ours to spell.
_DATA = frozenset({"meta", "header", "config"})


def services_of(files: tuple[str, ...]) -> list[dict[str, Any]]:
    """The services that files define.

    Raises:
        FairleadError: a file is not there, or faulty; nothing was done.
    """
    with explained("Error"):
        for name in files:
            if not os.path.exists(name):
                raise InvalidError(
                    f"config: Open failed on {name}. open {name}: no such file or directory"
                )
        read = [sources.read_all([name]) for name in files]
    keys = ("services", "service")
    return [_body(service) for raw in read for key in keys for service in raw.get(key, [])]


def _body(raw: dict[str, Any]) -> dict[str, Any]:
    """A service, as the API takes it; its weights, where one is given, are 1 where not."""
    body = {key: value for key, value in raw.items() if key not in ("check", "checks", "weights")}
    if raw.get("weights"):
        body["weights"] = {"passing": 1, "warning": 1, **raw["weights"]}
    spelled: dict[str, Any] = _spelled(body)
    if raw.get("tagged_addresses"):
        spelled["TaggedAddresses"] = {
            name: _spelled(address) for name, address in raw["tagged_addresses"].items()
        }
    checks = [_check(check) for key in ("check", "checks") for check in raw.get(key, [])]
    return {**spelled, "Checks": checks} if checks else spelled


def _check(raw: dict[str, Any]) -> dict[str, Any]:
    spelled: dict[str, Any] = _spelled(raw)
    if "ID" in spelled:
        spelled["CheckID"] = spelled.pop("ID")
    return spelled


def _spelled(value: Any) -> Any:
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        _NAMES.get(key) or "".join(word.capitalize() for word in key.split("_")): (
            item if key in _DATA else _spelled(item)
        )
        for key, item in value.items()
    }

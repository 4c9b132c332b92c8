"""The keys of services and checks in configuration files: Consul's, to version 1.20."""

from __future__ import annotations

from typing import Any

from fairlead.settings.kinds import ANY, BOOL, DURATION, INT, LIST, LISTS, MAP, STR, Objects

__all__ = ["CHECK", "SERVICE"]

CHECK: dict[str, Any] = {
    "id": STR,
    "name": STR,
    "notes": STR,
    "service_id": STR,
    "token": STR,
    "status": STR,
    "ttl": DURATION,
    "http": STR,
    "method": STR,
    "header": LISTS,
    "body": STR,
    "disable_redirects": BOOL,
    "tcp": STR,
    "tcp_use_tls": BOOL,
    "udp": STR,
    "args": LIST,
    "script_args": LIST,
    "docker_container_id": STR,
    "shell": STR,
    "grpc": STR,
    "grpc_use_tls": BOOL,
    "h2ping": STR,
    "h2ping_use_tls": BOOL,
    "dns": STR,
    "os_service": STR,
    "alias_node": STR,
    "alias_service": STR,
    "interval": DURATION,
    "timeout": DURATION,
    "tls_server_name": STR,
    "tls_skip_verify": BOOL,
    "success_before_passing": INT,
    "failures_before_warning": INT,
    "failures_before_critical": INT,
    "deregister_critical_service_after": DURATION,
    "output_max_size": INT,
}
"""The keys of a check in a configuration file."""

SERVICE: dict[str, Any] = {
    "id": STR,
    "name": STR,
    "tags": LIST,
    "address": STR,
    "tagged_addresses": Objects({"address": STR, "port": INT}, named=True),
    "meta": MAP,
    "port": INT,
    "kind": STR,
    "weights": {"passing": INT, "warning": INT},
    "enable_tag_override": BOOL,
    "token": STR,
    "proxy": {
        "destination_service_name": STR,
        "destination_service_id": STR,
        "local_service_address": STR,
        "local_service_port": INT,
        "config": ANY,
        "upstreams": ANY,
        "mesh_gateway": ANY,
        "expose": ANY,
    },
    "connect": {"native": BOOL, "sidecar_service": ANY},
    "check": Objects(CHECK),
    "checks": Objects(CHECK),
}
"""The keys of a service in a configuration file."""

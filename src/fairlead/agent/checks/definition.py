"""What a health check is to do: one record for all kinds, and what is wrong with one.

Durations are nanoseconds; 0 stands for "not given". The texts are Consul's.
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError

__all__ = ["MINIMUM_INTERVAL_NS", "CheckDefinition", "refuse_scripts", "type_of", "validate"]


class CheckDefinition(Struct, frozen=True, omit_defaults=True):
    """A check as it was registered; which kind it is follows from the fields that are set."""

    check_id: str = ""
    name: str = ""
    notes: str = ""
    service_id: str = ""
    status: str = ""
    token: str = ""
    # kinds
    ttl_ns: int = 0
    http: str = ""
    method: str = ""
    header: dict[str, list[str]] = {}
    body: str = ""
    disable_redirects: bool = False
    tcp: str = ""
    tcp_use_tls: bool = False
    udp: str = ""
    args: list[str] = []
    docker_container_id: str = ""
    shell: str = ""
    grpc: str = ""
    grpc_use_tls: bool = False
    h2ping: str = ""
    h2ping_use_tls: bool = True
    dns: str = ""
    os_service: str = ""
    alias_node: str = ""
    alias_service: str = ""
    # how
    interval_ns: int = 0
    timeout_ns: int = 0
    tls_server_name: str = ""
    tls_skip_verify: bool = False
    success_before_passing: int = 0
    failures_before_warning: int = 0
    failures_before_critical: int = 0
    deregister_critical_service_after_ns: int = 0
    output_max_size: int = 0

    @property
    def is_alias(self) -> bool:
        return bool(self.alias_node or self.alias_service)

    @property
    def is_polled(self) -> bool:
        """Whether it is run at an interval."""
        return bool(
            self.http
            or self.tcp
            or self.udp
            or self.args
            or self.grpc
            or self.h2ping
            or self.dns
            or self.os_service
        )


def validate(check: CheckDefinition) -> None:
    """Raises: InvalidError, in Consul's words, for what cannot be run."""
    if check.is_alias and not check.is_polled and not check.ttl_ns:
        return
    if check.interval_ns > 0 and check.ttl_ns > 0:
        raise InvalidError("Interval and TTL cannot both be specified")
    if check.is_polled and check.interval_ns <= 0:
        raise InvalidError("Interval must be > 0 for Script, HTTP, or TCP checks")
    if check.is_polled and check.is_alias:
        raise InvalidError("Interval cannot be set for Alias checks")
    if check.is_alias and check.ttl_ns > 0:
        raise InvalidError("TTL must be not be set for Alias checks")
    if not check.is_polled and check.ttl_ns <= 0:
        raise InvalidError("TTL must be > 0 for TTL checks")
    if check.output_max_size < 0:
        raise InvalidError("MaxOutputMaxSize must be positive")
    if check.failures_before_warning > check.failures_before_critical:
        raise InvalidError("FailuresBeforeWarning can't be higher than FailuresBeforeCritical")


def refuse_scripts(
    check: CheckDefinition, *, allowed: bool, remote_allowed: bool, remote: bool
) -> None:
    """Refuse a check that runs a program, inside a container too, where that is not allowed.

    `allowed` is for definitions from files (`enable_local_script_checks` or
    `enable_script_checks`), `remote_allowed` for those from the API
    (`enable_script_checks`); `remote` says where this one is from.

    Raises:
        InvalidError: in Consul's words.
    """
    if not check.args:
        return
    if remote and not remote_allowed:
        raise InvalidError(
            "Scripts are disabled on this agent from remote calls; to enable, configure "
            "'enable_script_checks' to true"
        )
    if not remote and not allowed:
        raise InvalidError(
            "Scripts are disabled on this agent; to enable, configure 'enable_script_checks' or "
            "'enable_local_script_checks' to true"
        )


def type_of(check: CheckDefinition) -> str:
    """The word for its kind in the API; if several are given the first of these counts."""
    kinds = (
        ("grpc", check.grpc),
        ("http", check.http),
        ("ttl", check.ttl_ns),
        ("tcp", check.tcp),
        ("alias", check.is_alias and not check.is_polled),
        ("docker", check.docker_container_id),
        ("script", check.args),
        ("udp", check.udp),
        ("h2ping", check.h2ping),
        ("os_service", check.os_service),
        ("dns", check.dns),
    )
    return next((name for name, is_it in kinds if is_it), "")


MINIMUM_INTERVAL_NS = SECOND_NS
"""Shorter intervals are raised to this, as in Consul."""

"""The settings of one agent: typed, with a default on every field, checked all at once.

Durations are nanoseconds. `build` turns merged sources into `Settings`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fairlead.durations import SECOND_NS
from fairlead.errors import SettingsError
from fairlead.settings.addresses import expand, own_address
from fairlead.settings.cluster import (
    SUPERVISED,
    cluster_faults,
    cluster_warnings,
    etcd_faults,
    is_one_of_several,
)
from fairlead.settings.dns import dns_faults, service_ttls
from fairlead.settings.wan import wan_faults
from fairlead.settings.watches import watch_faults

__all__ = ["DEV_DEFAULTS", "LOG_LEVELS", "RELOADABLE", "Settings", "build", "warnings"]

LOG_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "ERR")
_DATACENTER = re.compile(r"[a-z0-9_-]+")
_NODE_NAME = re.compile(r"[A-Za-z0-9-]+")
_ADDRESSES = ("addresses_dns", "addresses_http", "addresses_https")
# RFC 9110, 5.1 and 5.5: a header's name is a token, and no control character stands in its value.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_KB = 1024
_DNS_CONFIG = (
    "a_record_limit allow_stale cache_max_age disable_compression enable_additional_node_meta_txt "
    "enable_truncate max_stale node_ttl only_passing recursor_strategy recursor_timeout "
    "service_ttl soa udp_answer_limit use_cache"
).split()

DEV_DEFAULTS: dict[str, Any] = {
    "server": True,
    "bind_addr": "127.0.0.1",
    "engine": "memory:",
}
"""What `-dev` stands for; files and flags come after it."""

RELOADABLE = frozenset(
    {
        *("alt_domain", "domain", "recursors"),
        *(f"dns_config_{name}" for name in _DNS_CONFIG),
        "check",
        "checks",
        "discard_check_output",
        "http_config_allow_write_http_from",
        "http_config_block_endpoints",
        "http_config_response_headers",
        "limits_http_max_conns_per_client",
        "limits_kv_max_value_size",
        "limits_txn_max_req_len",
        "log_level",
        "service",
        "services",
        "watches",
    }
)
"""The fields a running agent takes over when its configuration is read again."""


@dataclass(frozen=True, slots=True)
class Settings:
    """See `docs/configuration.md`; each field is a configuration key, sections joined by `_`."""

    node_name: str = ""
    node_id: str = ""
    node_meta: dict[str, str] = field(default_factory=dict)
    datacenter: str = "dc1"
    server: bool = False
    bootstrap: bool = False
    bootstrap_expect: int = 0
    data_dir: str = ""
    engine: str = ""
    bind_addr: str = "0.0.0.0"
    client_addr: str = "127.0.0.1"
    advertise_addr: str = ""
    advertise_addr_wan: str = ""
    addresses_dns: str = ""
    addresses_http: str = ""
    addresses_https: str = ""
    ports_dns: int = 8600
    ports_http: int = 8500
    ports_https: int = -1
    ports_server: int = 8300
    ports_serf_lan: int = 8301
    ports_etcd: int = 8303
    etcd_binary: str = "etcd"
    ports_serf_wan: int = 8302
    start_join: list[str] = field(default_factory=list)
    retry_join: list[str] = field(default_factory=list)
    retry_interval: int = 30 * SECOND_NS
    retry_max: int = 0
    start_join_wan: list[str] = field(default_factory=list)
    retry_join_wan: list[str] = field(default_factory=list)
    retry_interval_wan: int = 30 * SECOND_NS
    retry_max_wan: int = 0
    reconnect_timeout_wan: int = 72 * 3600 * SECOND_NS
    kv_replication: list[dict[str, str]] = field(default_factory=list)
    rejoin_after_leave: bool = False
    leave_on_terminate: bool | None = None
    skip_leave_on_interrupt: bool | None = None
    reconnect_timeout: int = 72 * 3600 * SECOND_NS
    encrypt: str = ""
    unix_sockets_user: str = ""
    unix_sockets_group: str = ""
    unix_sockets_mode: str = ""
    http_config_block_endpoints: list[str] = field(default_factory=list)
    http_config_response_headers: dict[str, str] = field(default_factory=dict)
    http_config_allow_write_http_from: list[str] = field(default_factory=list)
    limits_http_max_conns_per_client: int = 200
    limits_kv_max_value_size: int = 512 * _KB
    limits_txn_max_req_len: int = 512 * _KB
    default_query_time: int = 300 * SECOND_NS
    max_query_time: int = 600 * SECOND_NS
    disable_http_unprintable_char_filter: bool = False
    domain: str = "consul"
    alt_domain: str = ""
    recursor: str = ""
    recursors: list[str] = field(default_factory=list)
    dns_config_a_record_limit: int = 0
    dns_config_allow_stale: bool = True
    dns_config_cache_max_age: int = 0
    dns_config_disable_compression: bool = False
    dns_config_enable_additional_node_meta_txt: bool = True
    dns_config_enable_truncate: bool = False
    dns_config_max_stale: int = 87600 * 3600 * SECOND_NS
    dns_config_node_ttl: int = 0
    dns_config_only_passing: bool = False
    dns_config_recursor_strategy: str = "sequential"
    dns_config_recursor_timeout: int = 2 * SECOND_NS
    dns_config_service_ttl: dict[str, int] = field(default_factory=dict)
    dns_config_soa: dict[str, int] = field(default_factory=dict)
    dns_config_udp_answer_limit: int = 3
    dns_config_use_cache: bool = False
    session_ttl_min: int = 10 * SECOND_NS
    tombstone_ttl: int = 900 * SECOND_NS
    service: list[dict[str, Any]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    check: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    watches: list[dict[str, Any]] = field(default_factory=list)
    enable_script_checks: bool = False
    enable_local_script_checks: bool = False
    check_output_max_size: int = 4 * _KB
    enable_agent_tls_for_checks: bool = False
    check_update_interval: int = 300 * SECOND_NS
    check_deregister_interval_min: int = 60 * SECOND_NS
    check_reap_interval: int = 30 * SECOND_NS
    discard_check_output: bool = False
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify_incoming: bool = False
    verify_incoming_https: bool = False
    tls_min_version: str = "tls12"
    telemetry_disable_hostname: bool = False
    telemetry_metrics_prefix: str = "consul"
    log_level: str = "INFO"
    log_json: bool = False
    log_file: str = ""
    log_rotate_bytes: int = 0
    log_rotate_duration: int = 24 * 3600 * SECOND_NS
    log_rotate_max_files: int = 0
    pid_file: str = ""

    @property
    def http_addresses(self) -> list[str]:
        """Hosts and `unix://` paths to serve HTTP on."""
        return (self.addresses_http or self.client_addr).split()

    @property
    def dns_addresses(self) -> list[str]:
        """Hosts to answer DNS questions on; a unix socket is none."""
        addresses = (self.addresses_dns or self.client_addr).split()
        return [address for address in addresses if not address.startswith("unix://")]

    @property
    def https_addresses(self) -> list[str]:
        return (self.addresses_https or self.client_addr).split()


def build(raw: dict[str, Any]) -> Settings:
    """The settings that merged sources amount to.

    Raises:
        SettingsError: some value cannot be used; all of them are named.
    """
    flat = _flattened(raw)
    faults: list[str] = []
    if "dns_config_service_ttl" in flat:
        flat["dns_config_service_ttl"] = service_ttls(flat["dns_config_service_ttl"], faults)
    settings = Settings(**{key: value for key, value in flat.items() if key in _FIELDS})
    settings = _completed(settings)
    faults += _faults(settings)
    if faults:
        raise SettingsError("\n".join(faults))
    return settings


def _flattened(raw: dict[str, Any]) -> dict[str, Any]:
    """Sections joined to their keys by `_`, as fields are named."""
    flat: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, dict) and key not in _FIELDS:
            flat.update(_flattened({f"{key}_{name}": item for name, item in value.items()}))
        else:
            flat[key] = value
    return flat


_FIELDS = {field_.name for field_ in fields(Settings)}


def _completed(settings: Settings) -> Settings:
    """Settings with what follows from others filled in."""
    values = {field_.name: getattr(settings, field_.name) for field_ in fields(Settings)}
    values["datacenter"] = settings.datacenter.lower()
    values["node_name"] = settings.node_name or socket.gethostname()
    values["log_level"] = settings.log_level.upper()
    if settings.leave_on_terminate is None:
        values["leave_on_terminate"] = not settings.server
    if settings.skip_leave_on_interrupt is None:
        values["skip_leave_on_interrupt"] = settings.server
    if not settings.engine and settings.data_dir and is_one_of_several(settings):
        values["engine"] = SUPERVISED
    elif not settings.engine and settings.data_dir:
        values["engine"] = f"sqlite:{Path(settings.data_dir) / 'fairlead.db'}"
    addresses = ("bind_addr", "advertise_addr", "advertise_addr_wan", "client_addr")
    for name in (*addresses, *_ADDRESSES):
        values[name] = expand(values[name])
    given = [settings.recursor] if settings.recursor else []
    values["recursors"] = [expand(text) for text in (*given, *settings.recursors)]
    if not settings.advertise_addr:
        wildcard = values["bind_addr"] in ("0.0.0.0", "::", "")
        values["advertise_addr"] = own_address() if wildcard else values["bind_addr"]
    values["advertise_addr_wan"] = values["advertise_addr_wan"] or values["advertise_addr"]
    return Settings(**values)


def _faults(settings: Settings) -> list[str]:
    """Everything that is wrong, in Consul's words where it has them."""
    faults = []
    if not settings.engine:
        faults.append("data_dir cannot be empty")
    if settings.data_dir and os.path.isfile(settings.data_dir):
        faults.append(f'data_dir "{settings.data_dir}" is not a directory')
    if not _DATACENTER.fullmatch(settings.datacenter):
        faults.append(f'datacenter cannot be "{settings.datacenter}". Please use only [a-z0-9-_]')
    if settings.bootstrap and not settings.server:
        faults.append("'bootstrap = true' requires 'server = true'")
    if settings.bootstrap and settings.bootstrap_expect > 0:
        faults.append("'bootstrap_expect > 0' and 'bootstrap = true' are mutually exclusive")
    if settings.bootstrap_expect < 0:
        faults.append(f"bootstrap_expect cannot be {settings.bootstrap_expect}")
    if settings.log_level not in LOG_LEVELS:
        names = ", ".join(LOG_LEVELS[:-1])
        faults.append(f'log_level cannot be "{settings.log_level}". Use one of {names}')
    for check in (
        _number_faults,
        _address_faults,
        _header_faults,
        cluster_faults,
        etcd_faults,
        wan_faults,
        _tls_faults,
        dns_faults,
        lambda settings: watch_faults(settings.watches),
    ):
        faults += check(settings)
    return faults


def _number_faults(settings: Settings) -> list[str]:
    faults = []
    for section in ("dns", "http", "https", "server", "serf_lan", "serf_wan", "etcd"):
        name = f"ports_{section}"
        port = getattr(settings, name)
        if not -1 <= port <= 65535:
            faults.append(f"{_key(name)} cannot be {port}. Use a port from 1 to 65535, or -1")
    positive = (
        "limits_http_max_conns_per_client limits_kv_max_value_size limits_txn_max_req_len "
        "default_query_time max_query_time session_ttl_min tombstone_ttl retry_interval "
        "reconnect_timeout retry_interval_wan reconnect_timeout_wan check_reap_interval "
        "check_output_max_size"
    )
    for name in positive.split():
        if getattr(settings, name) <= 0:
            faults.append(f"{_key(name)} cannot be {getattr(settings, name)}. Must be positive")
    return faults


def _key(name: str) -> str:
    """The configuration key of a field.

    >>> _key("limits_kv_max_value_size")
    'limits.kv_max_value_size'
    """
    section = name.partition("_")[0]
    has_section = section in ("addresses", "limits", "ports")
    return f"{section}.{name[len(section) + 1 :]}" if has_section else name


def _address_faults(settings: Settings) -> list[str]:
    faults = []
    for key in ("bind_addr", "advertise_addr", "advertise_addr_wan"):
        if not _is_ip(getattr(settings, key)):
            faults.append(f'{key}: "{getattr(settings, key)}" is not an IP address')
    for key in ("client_addr", *_ADDRESSES):
        faults += [
            f'{_key(key)}: "{address}" is neither an IP address nor unix:///PATH'
            for address in dict.fromkeys(getattr(settings, key).split())
            if not _can_be_served(address)
        ]
    for cidr in settings.http_config_allow_write_http_from:
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            faults.append(f'http_config.allow_write_http_from: "{cidr}" is not a CIDR')
    return faults


def _can_be_served(address: str) -> bool:
    if address.startswith("unix://"):
        return address != "unix://"
    return address == "localhost" or _is_ip(address)


def _header_faults(settings: Settings) -> list[str]:
    faults = []
    for name, value in settings.http_config_response_headers.items():
        if not _HEADER_NAME.fullmatch(name):
            faults.append(f"http_config.response_headers: {name!a} is not a header's name")
        if _CONTROL.search(value):
            faults.append(f"http_config.response_headers: {value!a} holds a control character")
    return faults


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _tls_faults(settings: Settings) -> list[str]:
    if settings.ports_https < 0:
        return []
    faults = []
    for key in ("cert_file", "key_file"):
        path = getattr(settings, key)
        if not path:
            faults.append(f"{key} must be set when ports.https is")
        elif not os.access(path, os.R_OK):
            faults.append(f'{key}: "{path}" cannot be read')
    if settings.tls_min_version not in ("tls12", "tls13"):
        faults.append(f'tls_min_version cannot be "{settings.tls_min_version}": use tls12 or tls13')
    return faults


def warnings(settings: Settings) -> list[str]:
    """What is odd but can be used."""
    texts = cluster_warnings(settings)
    if not _NODE_NAME.fullmatch(settings.node_name):
        texts.append(
            f'Node name "{settings.node_name}" will not be discoverable via DNS due to invalid '
            "characters. Valid characters include all alpha-numerics and dashes."
        )
    return texts

"""The flags of `fairlead agent`: Consul's names, and the configuration key each stands for.

Flags are one more source, merged after all files. Those of Consul's that have
no key of their own here are the ones `cli/agent.py` handles itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fairlead.errors import SettingsError
from fairlead.settings import schema
from fairlead.settings.schema import SCHEMA

__all__ = ["FLAGS", "Flag", "as_source", "kind_of"]


class Flag(NamedTuple):
    """The key a flag sets, and what to say of it; nothing of one without effect yet."""

    key: str
    about: str = ""


FLAGS: dict[str, Flag] = {
    "-advertise": Flag("advertise_addr", "Address others reach this agent at; -bind's by default."),
    "-advertise-wan": Flag(
        "advertise_addr_wan",
        "Address towards other datacenters; -advertise's by default.",
    ),
    "-allow-write-http-from": Flag(
        "http_config.allow_write_http_from", "CIDR that may write over HTTP; all may by default."
    ),
    "-alt-domain": Flag("alt_domain", "Another domain to answer DNS questions for."),
    "-bind": Flag("bind_addr", "Address of this node towards the cluster."),
    "-bootstrap": Flag("bootstrap", "Be the only server."),
    "-bootstrap-expect": Flag(
        "bootstrap_expect", "How many servers form the cluster when it first starts."
    ),
    "-check_output_max_size": Flag("check_output_max_size", "Bytes of a check's output."),
    "-client": Flag("client_addr", "Addresses to serve clients on."),
    "-data-dir": Flag("data_dir", "Directory that keeps the state."),
    "-datacenter": Flag("datacenter", "Datacenter this agent is in."),
    "-default-query-time": Flag(
        "default_query_time", "How long a blocking read waits if it does not say."
    ),
    "-disable-host-node-id": Flag(
        "disable_host_node_id", "Make a random node id, as is always done."
    ),
    "-disable-keyring-file": Flag("disable_keyring_file"),
    "-dns-port": Flag("ports.dns", "Port of the DNS server, -1 for none."),
    "-domain": Flag("domain", "Domain of DNS names."),
    "-enable-local-script-checks": Flag(
        "enable_local_script_checks", "Run checks that are commands, of configuration files only."
    ),
    "-enable-script-checks": Flag("enable_script_checks", "Run checks that are commands."),
    "-encrypt": Flag("encrypt", "Key that agents of the cluster share, in base64."),
    "-engine": Flag("engine", "Where the state is kept: memory:, sqlite:PATH or etcd:HOST:PORT."),
    "-grpc-port": Flag("ports.grpc"),
    "-http-port": Flag("ports.http", "Port of the HTTP API, -1 for none."),
    "-https-port": Flag("ports.https", "Port of the HTTPS API, -1 for none."),
    "-join": Flag("start_join", "Server to join; the start fails if none answers."),
    "-join-wan": Flag(
        "start_join_wan", "Server of another datacenter to join; the start fails if none answers."
    ),
    "-log-file": Flag("log_file", "File, or directory/, to log to as well."),
    "-log-json": Flag("log_json", "Log one JSON object a line."),
    "-log-level": Flag("log_level", "TRACE, DEBUG, INFO, WARN or ERROR."),
    "-log-rotate-bytes": Flag("log_rotate_bytes", "Start a new log file at this size."),
    "-log-rotate-duration": Flag("log_rotate_duration", "Start a new log file after this time."),
    "-log-rotate-max-files": Flag(
        "log_rotate_max_files", "How many old log files to keep, 0 for all."
    ),
    "-max-query-time": Flag("max_query_time", "How long a blocking read may wait at most."),
    "-node": Flag("node_name", "Name of this node; the host's by default."),
    "-node-id": Flag("node_id", "UUID of this node; made and kept by default."),
    "-node-meta": Flag("node_meta", "Metadata of this node."),
    "-pid-file": Flag("pid_file", "File to write the process id to."),
    "-primary-gateway": Flag("primary_gateways"),
    "-protocol": Flag("protocol"),
    "-raft-protocol": Flag("raft_protocol"),
    "-recursor": Flag("recursors", "DNS server to ask for what is outside our domain."),
    "-rejoin": Flag(
        "rejoin_after_leave", "After a leave, join the servers known before all the same."
    ),
    "-retry-interval": Flag("retry_interval", "Time between two tries to join."),
    "-retry-interval-wan": Flag(
        "retry_interval_wan", "Time between two tries to join other datacenters."
    ),
    "-retry-join": Flag("retry_join", "Server to join; tried until it answers."),
    "-retry-join-wan": Flag(
        "retry_join_wan", "Server of another datacenter to join; tried until it answers."
    ),
    "-retry-max": Flag("retry_max", "How many tries before the agent gives up; 0 for ever."),
    "-retry-max-wan": Flag(
        "retry_max_wan", "How many tries before the agent gives up; 0 for ever."
    ),
    "-segment": Flag("segment"),
    "-serf-lan-allowed-cidrs": Flag("serf_lan_allowed_cidrs"),
    "-serf-lan-bind": Flag("serf_lan"),
    "-serf-lan-port": Flag("ports.serf_lan", "Second port of a server for agents; -1 for none."),
    "-serf-wan-allowed-cidrs": Flag("serf_wan_allowed_cidrs"),
    "-serf-wan-bind": Flag("serf_wan"),
    "-serf-wan-port": Flag(
        "ports.serf_wan", "Port of a server for those of other datacenters; -1 for none."
    ),
    "-server": Flag("server", "Keep state and decide, as a server."),
    "-server-port": Flag("ports.server", "Port of a server for agents; -1 for none."),
    "-syslog": Flag("enable_syslog"),
    "-ui": Flag("ui"),
    "-ui-content-path": Flag("ui_content_path"),
    "-ui-dir": Flag("ui_dir"),
}


def kind_of(key: str) -> str:
    """The type of a key, as in the schema."""
    section, _, name = key.rpartition(".")
    kind: str = SCHEMA[section][name] if section else SCHEMA[name]
    return kind


def as_source(given: dict[str, Any]) -> dict[str, Any]:
    """The flags that were given, as a file that holds their keys would read.

    Raises:
        SettingsError: `-node-meta` without a colon.
    """
    source: dict[str, Any] = {}
    for flag, value in given.items():
        key = FLAGS[flag].key
        if kind_of(key) == schema.LIST:
            value = [item for text in value for item in text.split(",")]
        elif kind_of(key) == schema.MAP:
            value = dict(_pair(flag, text) for text in value)
        section, _, name = key.rpartition(".")
        (source.setdefault(section, {}) if section else source)[name] = value
    return source


def _pair(flag: str, text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise SettingsError(f'{flag}: "{text}" is not KEY:VALUE')
    return key, value

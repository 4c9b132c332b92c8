"""Every configuration key: Consul's names and types, and which of them Fairlead uses.

A key of Consul's that is not used yet is accepted with a warning, so that files
written for Consul start Fairlead; a key nobody knows stops the start.
Source: the configuration pages of Consul 1.8 to 1.20 and the keys the 1.8.7
binary accepts.

To use a key: add it to `USED` and a field to `Settings`.
"""

from __future__ import annotations

from typing import Any

from fairlead.settings.kinds import (
    ANY,
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LIST,
    LISTS,
    MAP,
    STR,
    Objects,
)
from fairlead.settings.services import CHECK, SERVICE
from fairlead.settings.wan import REPLICATION
from fairlead.settings.watches import WATCH

__all__ = [
    "ANY",
    "BOOL",
    "CHECK",
    "DURATION",
    "FLOAT",
    "INT",
    "LIST",
    "LISTS",
    "MAP",
    "SCHEMA",
    "SERVICE",
    "STR",
    "USED",
    "Objects",
]

_TOKENS = dict.fromkeys(
    (
        "master initial_management agent_master agent_recovery agent default dns replication "
        "config_file_service_registration"
    ).split(),
    STR,
) | {"managed_service_provider": ANY}

_TLS = {
    "ca_file": STR,
    "ca_path": STR,
    "cert_file": STR,
    "key_file": STR,
    "tls_min_version": STR,
    "tls_cipher_suites": STR,
    "verify_incoming": BOOL,
    "verify_outgoing": BOOL,
    "verify_server_hostname": BOOL,
    "use_auto_cert": BOOL,
}

_GOSSIP = {
    "gossip_nodes": INT,
    "gossip_interval": DURATION,
    "probe_interval": DURATION,
    "probe_timeout": DURATION,
    "suspicion_mult": INT,
    "retransmit_mult": INT,
}

SCHEMA: dict[str, Any] = {
    # who this agent is
    "node_name": STR,
    "node_id": STR,
    "node_meta": MAP,
    "datacenter": STR,
    "primary_datacenter": STR,
    "domain": STR,
    "alt_domain": STR,
    "server": BOOL,
    "bootstrap": BOOL,
    "bootstrap_expect": INT,
    "data_dir": STR,
    "engine": STR,
    "etcd_binary": STR,
    "disable_host_node_id": BOOL,
    "protocol": INT,
    "raft_protocol": INT,
    "segment": STR,
    "segments": ANY,
    "partition": STR,
    "license_path": STR,
    "read_replica": BOOL,
    "non_voting_server": BOOL,
    # where it listens and what it tells others
    "bind_addr": STR,
    "client_addr": STR,
    "advertise_addr": STR,
    "advertise_addr_wan": STR,
    "advertise_addr_ipv4": STR,
    "advertise_addr_ipv6": STR,
    "advertise_addr_wan_ipv4": STR,
    "advertise_addr_wan_ipv6": STR,
    "advertise_reconnect_timeout": DURATION,
    "addresses": {"dns": STR, "http": STR, "https": STR, "grpc": STR, "grpc_tls": STR},
    "ports": {
        "dns": INT,
        "http": INT,
        "https": INT,
        "grpc": INT,
        "grpc_tls": INT,
        "serf_lan": INT,
        "serf_wan": INT,
        "server": INT,
        "etcd": INT,
        "sidecar_min_port": INT,
        "sidecar_max_port": INT,
        "expose_min_port": INT,
        "expose_max_port": INT,
    },
    "unix_sockets": {"user": STR, "group": STR, "mode": STR},
    "translate_wan_addrs": BOOL,
    # joining others
    "retry_join": LIST,
    "retry_interval": DURATION,
    "retry_max": INT,
    "retry_join_wan": LIST,
    "retry_interval_wan": DURATION,
    "retry_max_wan": INT,
    "kv_replication": Objects(REPLICATION),
    "start_join": LIST,
    "start_join_wan": LIST,
    "rejoin_after_leave": BOOL,
    "reconnect_timeout": DURATION,
    "reconnect_timeout_wan": DURATION,
    "leave_on_terminate": BOOL,
    "skip_leave_on_interrupt": BOOL,
    "serf_lan": STR,
    "serf_wan": STR,
    "serf_lan_allowed_cidrs": LIST,
    "serf_wan_allowed_cidrs": LIST,
    "encrypt": STR,
    "encrypt_verify_incoming": BOOL,
    "encrypt_verify_outgoing": BOOL,
    "disable_keyring_file": BOOL,
    "gossip_lan": _GOSSIP,
    "gossip_wan": _GOSSIP,
    # HTTP
    "http_config": {
        "block_endpoints": LIST,
        "response_headers": MAP,
        "allow_write_http_from": LIST,
        "use_cache": BOOL,
        "max_header_bytes": INT,
    },
    "limits": {
        "http_max_conns_per_client": INT,
        "https_handshake_timeout": DURATION,
        "rpc_handshake_timeout": DURATION,
        "rpc_client_timeout": DURATION,
        "rpc_rate": FLOAT,
        "rpc_max_burst": INT,
        "rpc_max_conns_per_client": INT,
        "kv_max_value_size": INT,
        "txn_max_req_len": INT,
        "request_limits": {"mode": STR, "read_rate": FLOAT, "write_rate": FLOAT},
    },
    "default_query_time": DURATION,
    "max_query_time": DURATION,
    "disable_http_unprintable_char_filter": BOOL,
    "disable_kv_key_validation": BOOL,
    "enable_debug": BOOL,
    "default_intention_policy": STR,
    # DNS
    "recursor": STR,
    "recursors": LIST,
    "dns_config": {
        "allow_stale": BOOL,
        "max_stale": DURATION,
        "node_ttl": DURATION,
        "service_ttl": MAP,
        "enable_truncate": BOOL,
        "only_passing": BOOL,
        "recursor_strategy": STR,
        "recursor_timeout": DURATION,
        "disable_compression": BOOL,
        "udp_answer_limit": INT,
        "a_record_limit": INT,
        "enable_additional_node_meta_txt": BOOL,
        "soa": {"refresh": INT, "retry": INT, "expire": INT, "min_ttl": INT},
        "use_cache": BOOL,
        "cache_max_age": DURATION,
        "prefer_namespace": BOOL,
    },
    # services, checks, watches
    "service": Objects(SERVICE),
    "services": Objects(SERVICE),
    "check": Objects(CHECK),
    "checks": Objects(CHECK),
    "watches": Objects(WATCH),
    "enable_script_checks": BOOL,
    "enable_local_script_checks": BOOL,
    "discard_check_output": BOOL,
    "check_update_interval": DURATION,
    "check_output_max_size": INT,
    "check_deregister_interval_min": DURATION,
    "check_reap_interval": DURATION,
    "sync_coordinate_interval_min": DURATION,
    "sync_coordinate_rate_target": FLOAT,
    "service_meta_defaults": MAP,
    "enable_central_service_config": BOOL,
    "config_entries": {"bootstrap": ANY},
    "config_entry_bootstrap": ANY,
    "enable_agent_tls_for_checks": BOOL,
    "session_ttl_min": DURATION,
    "tombstone_ttl": DURATION,
    "disable_remote_exec": BOOL,
    "disable_update_check": BOOL,
    "disable_anonymous_signature": BOOL,
    "disable_coordinates": BOOL,
    "discovery_max_stale": DURATION,
    # how the servers work
    "performance": {
        "raft_multiplier": INT,
        "leave_drain_time": DURATION,
        "rpc_hold_timeout": DURATION,
        "grpc_keepalive_interval": DURATION,
        "grpc_keepalive_timeout": DURATION,
    },
    "raft_snapshot_interval": DURATION,
    "raft_snapshot_threshold": INT,
    "raft_trailing_logs": INT,
    "raft_logstore": ANY,
    "autopilot": {
        "cleanup_dead_servers": BOOL,
        "last_contact_threshold": DURATION,
        "max_trailing_logs": INT,
        "min_quorum": INT,
        "server_stabilization_time": DURATION,
        "redundancy_zone_tag": STR,
        "disable_upgrade_migration": BOOL,
        "upgrade_version_tag": STR,
    },
    # access
    "acl": {
        "enabled": BOOL,
        "default_policy": STR,
        "down_policy": STR,
        "policy_ttl": DURATION,
        "token_ttl": DURATION,
        "role_ttl": DURATION,
        "enable_token_persistence": BOOL,
        "enable_token_replication": BOOL,
        "enable_key_list_policy": BOOL,
        "disabled_ttl": DURATION,
        "msp_disable_bootstrap": BOOL,
        "tokens": _TOKENS,
    },
    "acl_datacenter": STR,
    "acl_default_policy": STR,
    "acl_down_policy": STR,
    "acl_ttl": DURATION,
    "acl_token": STR,
    "acl_agent_token": STR,
    "acl_agent_master_token": STR,
    "acl_master_token": STR,
    "acl_replication_token": STR,
    "acl_enable_key_list_policy": BOOL,
    "acl_enforce_version_8": BOOL,
    "enable_acl_replication": BOOL,
    # TLS
    "ca_file": STR,
    "ca_path": STR,
    "cert_file": STR,
    "key_file": STR,
    "server_name": STR,
    "tls_min_version": STR,
    "tls_cipher_suites": STR,
    "tls_prefer_server_cipher_suites": BOOL,
    "verify_incoming": BOOL,
    "verify_incoming_rpc": BOOL,
    "verify_incoming_https": BOOL,
    "verify_outgoing": BOOL,
    "verify_server_hostname": BOOL,
    "tls": {"defaults": _TLS, "internal_rpc": _TLS, "https": _TLS, "grpc": _TLS},
    "auto_encrypt": {"tls": BOOL, "allow_tls": BOOL, "dns_san": LIST, "ip_san": LIST},
    "auto_config": ANY,
    # the mesh and the pages
    "connect": ANY,
    "peering": ANY,
    "cloud": ANY,
    "audit": ANY,
    "xds": ANY,
    "experiments": LIST,
    "primary_gateways": LIST,
    "primary_gateways_interval": DURATION,
    "use_streaming_backend": BOOL,
    "rpc": {"enable_streaming": BOOL},
    "cache": {"entry_fetch_max_burst": INT, "entry_fetch_rate": FLOAT},
    "locality": {"region": STR, "zone": STR},
    "ui": BOOL,
    "ui_dir": STR,
    "ui_content_path": STR,
    "ui_config": ANY,
    # what operators read
    "telemetry": {
        "disable_hostname": BOOL,
        "enable_host_metrics": BOOL,
        "filter_default": BOOL,
        "metrics_prefix": STR,
        "prefix_filter": LIST,
        "prometheus_retention_time": DURATION,
        "retry_failed_connection": BOOL,
        "statsd_address": STR,
        "statsite_address": STR,
        "statsite_prefix": STR,
        "dogstatsd_addr": STR,
        "dogstatsd_tags": LIST,
        "disable_compat_1.9": BOOL,
        "disable_per_tenancy_usage_metrics": BOOL,
        "circonus_api_app": STR,
        "circonus_api_token": STR,
        "circonus_api_url": STR,
        "circonus_broker_id": STR,
        "circonus_broker_select_tag": STR,
        "circonus_check_display_name": STR,
        "circonus_check_force_metric_activation": STR,
        "circonus_check_id": STR,
        "circonus_check_instance_id": STR,
        "circonus_check_search_tag": STR,
        "circonus_check_tags": STR,
        "circonus_submission_interval": STR,
        "circonus_submission_url": STR,
    },
    "reporting": ANY,
    "log_level": STR,
    "log_json": BOOL,
    "log_file": STR,
    "log_rotate_bytes": INT,
    "log_rotate_duration": DURATION,
    "log_rotate_max_files": INT,
    "enable_syslog": BOOL,
    "syslog_facility": STR,
    "pid_file": STR,
}

USED = frozenset(
    """
    node_name node_id node_meta datacenter server bootstrap bootstrap_expect data_dir engine
    bind_addr client_addr advertise_addr addresses.http addresses.https ports.http ports.https
    addresses.dns ports.dns domain alt_domain recursor recursors
    dns_config.a_record_limit dns_config.allow_stale dns_config.cache_max_age
    dns_config.disable_compression dns_config.enable_additional_node_meta_txt
    dns_config.enable_truncate dns_config.max_stale dns_config.node_ttl dns_config.only_passing
    dns_config.recursor_strategy dns_config.recursor_timeout dns_config.service_ttl
    dns_config.soa dns_config.udp_answer_limit dns_config.use_cache
    unix_sockets.user unix_sockets.group unix_sockets.mode
    http_config.block_endpoints http_config.response_headers http_config.allow_write_http_from
    limits.http_max_conns_per_client limits.kv_max_value_size limits.txn_max_req_len
    default_query_time max_query_time disable_http_unprintable_char_filter
    session_ttl_min tombstone_ttl
    service services check checks watches enable_script_checks enable_local_script_checks
    check_output_max_size check_update_interval check_deregister_interval_min check_reap_interval
    discard_check_output enable_agent_tls_for_checks
    ca_file cert_file key_file verify_incoming verify_incoming_https tls_min_version
    telemetry.disable_hostname telemetry.metrics_prefix
    log_level log_json log_file log_rotate_bytes log_rotate_duration log_rotate_max_files pid_file
    ports.server ports.serf_lan start_join retry_join retry_interval retry_max rejoin_after_leave
    ports.etcd etcd_binary
    ports.serf_wan start_join_wan retry_join_wan retry_interval_wan retry_max_wan
    reconnect_timeout_wan advertise_addr_wan kv_replication
    leave_on_terminate skip_leave_on_interrupt reconnect_timeout encrypt
    disable_update_check disable_anonymous_signature disable_host_node_id
    """.split()
)
"""The keys that have an effect (or, the last three, ask for what Fairlead does anyway)."""

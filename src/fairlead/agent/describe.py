"""How the agent describes itself to clients: `/v1/agent/self` and its parts."""

from __future__ import annotations

import os
import platform
from dataclasses import fields
from typing import Any

from fairlead.agent.agent import Agent
from fairlead.agent.servers import servers
from fairlead.core.rows import MemberRow
from fairlead.core.wan import known_datacenters
from fairlead.durations import format_duration
from fairlead.settings.settings import Settings
from fairlead.store import Store
from fairlead.version import API_VERSION, __version__

__all__ = ["config", "debug_config", "member", "stats"]

_DURATIONS = frozenset(
    {
        "default_query_time",
        "dns_config_cache_max_age",
        "dns_config_max_stale",
        "dns_config_node_ttl",
        "dns_config_recursor_timeout",
        "max_query_time",
        "session_ttl_min",
        "tombstone_ttl",
        "log_rotate_duration",
        "check_update_interval",
        "check_deregister_interval_min",
        "check_reap_interval",
        "reconnect_timeout",
        "reconnect_timeout_wan",
        "retry_interval",
        "retry_interval_wan",
    }
)
_SHOWN_AS = {
    "node_id": "NodeID",
    "key_file": "KeyFile",
    "encrypt": "EncryptKey",
    "datacenter": "Datacenter",
}
_HIDDEN = frozenset({"check", "checks", "encrypt", "key_file", "service", "services", "watches"})


def config(agent: Agent) -> dict[str, Any]:
    """The `Config` of `/v1/agent/self`."""
    return {
        "Datacenter": agent.settings.datacenter,
        "NodeName": agent.node.node,
        "NodeID": agent.node.id,
        "Revision": f"fairlead-{__version__}",
        "Server": agent.settings.server,
        "Version": API_VERSION,
    }


def debug_config(settings: Settings) -> dict[str, Any]:
    """Every setting under its field's name in Pascal case; what is secret is hidden."""
    shown = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in _DURATIONS:
            value = format_duration(value)
        if field.name in _HIDDEN:
            value = "hidden"
        shown[_SHOWN_AS.get(field.name) or _pascal(field.name)] = value
    return dict(sorted(shown.items()))


def _pascal(name: str) -> str:
    return "".join(
        part.upper() if part == "http" else part.capitalize() for part in name.split("_")
    )


def member(row: MemberRow) -> dict[str, Any]:
    """A member as the API shows it."""
    return {
        "Name": row.name,
        "Addr": row.addr,
        "Port": row.port,
        "Tags": row.tags,
        "Status": row.status,
        "ProtocolMin": 1,
        "ProtocolMax": 5,
        "ProtocolCur": 2,
        "DelegateMin": 2,
        "DelegateMax": 5,
        "DelegateCur": 4,
    }


def stats(agent: Agent) -> dict[str, dict[str, str]]:
    """The `Stats` of `/v1/agent/self`: sections of text."""
    return {
        "agent": _local_stats(agent),
        "build": {"prerelease": "", "revision": f"fairlead-{__version__}", "version": API_VERSION},
        **(_server_stats(agent) if agent.settings.server else _client_stats(agent)),
        "runtime": {
            "arch": platform.machine(),
            "cpu_count": str(os.cpu_count()),
            "os": platform.system().lower(),
            "version": f"python{platform.python_version()}",
        },
    }


def _client_stats(agent: Agent) -> dict[str, dict[str, str]]:
    link = agent.link
    is_up = link is not None and link.is_up
    known = link.servers if link is not None else []
    return {
        "consul": {
            "acl": "disabled",
            "known_servers": str(max(len(known), int(is_up))),
            "server": "false",
        },
        "fairlead": {
            "linked_to": link.server if link is not None and is_up else "",
            "version": __version__,
        },
    }


def _server_stats(agent: Agent) -> dict[str, dict[str, str]]:
    store = agent.store
    state, leads = store.state, store.leads
    index = str(state.index)
    leader = store.leader
    is_alone = store.following is None
    peers = 0 if is_alone else max(len(servers(agent)) - 1, 0)
    return {
        "consul": {
            "acl": "disabled",
            "bootstrap": str(is_alone).lower(),
            "known_datacenters": str(len(known_datacenters(state)) + 1),
            "leader": str(leads).lower(),
            "leader_addr": agent.server_address if leads else (leader.address if leader else ""),
            "server": "true",
        },
        "fairlead": {
            "blocking_queries": str(store.watches.readers),
            "engine": store.engine.name,
            "kv_entries": str(len(state.kv)),
            "sessions": str(len(state.sessions)),
            "version": __version__,
        },
        "raft": {
            "applied_index": index,
            "commit_index": index,
            "last_contact": _last_contact(store),
            "last_log_index": index,
            "num_peers": str(peers),
            "state": "Leader" if leads else "Follower",
        },
    }


def _local_stats(agent: Agent) -> dict[str, str]:
    local = agent.registrations.local
    polled = len(local.checks) - len(local.ttls)
    return {
        "check_monitors": str(polled),
        "check_ttls": str(len(local.ttls)),
        "checks": str(len(local.checks)),
        "services": str(len(local.services)),
    }


def _last_contact(store: Store) -> str:
    if not store.is_open:
        return "never"
    return "0" if store.leads else f"{store.contact.age_ms}ms"

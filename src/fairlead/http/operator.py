"""/v1/operator: what tools ask about the servers of the cluster.

Source: Consul's operator pages; shapes as observed on 1.8.7.
"""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct, structs

from fairlead.agent.agent import Agent
from fairlead.agent.autopilot import ServerHealth, health
from fairlead.agent.peers import peers, remove_peer
from fairlead.core.autopilot import autopilot
from fairlead.core.commands import AutopilotSet
from fairlead.core.rows import AutopilotRow
from fairlead.durations import SECOND_NS, format_duration
from fairlead.errors import InvalidError
from fairlead.http.decoding import DECODE, decode_struct
from fairlead.http.messages import JSON, Request, Response, empty, json_response
from fairlead.http.params import Query
from fairlead.version import API_VERSION

__all__ = [
    "autopilot_configuration",
    "autopilot_health",
    "raft_configuration",
    "raft_remove_peer",
    "set_autopilot_configuration",
]

_CONFIG = "Bad request: Error parsing autopilot config"


async def raft_configuration(agent: Agent, request: Request) -> Response:
    """The servers; one that is lost is among them as long as it counts for the majority."""
    found = [
        {
            "ID": peer.server.id,
            "Node": peer.server.node,
            "Address": peer.server.address,
            "Leader": peer.server.leads,
            "ProtocolVersion": "3",
            "Voter": peer.is_voter,
        }
        for peer in await peers(agent)
    ]
    return json_response({"Servers": found, "Index": 0})


async def raft_remove_peer(agent: Agent, request: Request) -> Response:
    """Remove a server that is gone for good."""
    query = request.query
    peer_id, address = query.get("id"), query.get("address")
    if not peer_id and not address:
        raise InvalidError(
            "Bad request: Must specify either ?id with the server's ID or ?address with "
            "IP:port of peer to remove"
        )
    if peer_id and address:
        raise InvalidError("Bad request: Must specify only one of ?id or ?address")
    await remove_peer(agent, peer_id, address)
    return empty()


async def autopilot_health(agent: Agent, request: Request) -> Response:
    """Whether the servers are well, and how many more may fail before none can write."""
    found = await health(agent)
    answer = {
        "Healthy": found.is_healthy,
        "FailureTolerance": found.tolerance,
        "Servers": [_shown(server) for server in found.servers],
    }
    return json_response(answer, 200 if found.is_healthy else 429)


def _shown(health: ServerHealth) -> dict[str, Any]:
    server = health.peer.server
    since = time.gmtime(health.since_ns // SECOND_NS)
    known = health.contact_ns >= 0
    # As Consul, whose servers that never answered were in contact before all time.
    contact = format_duration(health.contact_ns // 1_000_000 * 1_000_000) if known else ""
    return {
        "ID": server.id,
        "Name": server.node,
        "Address": server.address,
        "SerfStatus": server.status,
        "Version": API_VERSION if known else "",
        "Leader": server.leads,
        "LastContact": contact,
        "LastTerm": 1 if known else 0,
        "LastIndex": health.index,
        "Healthy": health.is_healthy,
        "Voter": health.peer.is_voter,
        "StableSince": time.strftime("%Y-%m-%dT%H:%M:%SZ", since),
    }


# ---------------------------------------------------------------- autopilot's configuration


class _Config(Struct):
    """What a body may say; what it does not say is zero, as with Consul."""

    cleanup_dead_servers: bool = False
    last_contact_threshold_ns: int = 0
    max_trailing_logs: int = 0
    min_quorum: int = 0
    server_stabilization_time_ns: int = 0
    redundancy_zone_tag: str = ""
    disable_upgrade_migration: bool = False
    upgrade_version_tag: str = ""
    # Taken, and without effect.
    create_index: int = 0
    modify_index: int = 0


def autopilot_configuration(agent: Agent, request: Request) -> Response:
    """How the servers look after themselves."""
    row = autopilot(agent.store.state)
    return json_response(
        {
            "CleanupDeadServers": row.cleanup_dead_servers,
            "LastContactThreshold": format_duration(row.last_contact_threshold_ns),
            "MaxTrailingLogs": row.max_trailing_logs,
            "MinQuorum": row.min_quorum,
            "ServerStabilizationTime": format_duration(row.server_stabilization_time_ns),
            "RedundancyZoneTag": row.redundancy_zone_tag,
            "DisableUpgradeMigration": row.disable_upgrade_migration,
            "UpgradeVersionTag": row.upgrade_version_tag,
            "CreateIndex": row.create_index,
            "ModifyIndex": row.modify_index,
        }
    )


async def set_autopilot_configuration(agent: Agent, request: Request) -> Response:
    """Replace it; with `?cas=`, only if it stands at that index."""
    config = _config(request.body)
    done = await agent.store.submit(AutopilotSet(config, _cas(request.query)))
    return Response(200, b"true" if done else b"false", JSON)


def _config(body: bytes) -> AutopilotRow:
    try:
        config = decode_struct(body, _Config, {})
    except InvalidError as error:
        raise InvalidError(f"{_CONFIG}{str(error).removeprefix(DECODE)}") from error
    for name in ("max_trailing_logs", "min_quorum"):
        if getattr(config, name) < 0:
            field = "".join(part.capitalize() for part in name.split("_"))
            raise InvalidError(f"{_CONFIG}: {field} cannot be {getattr(config, name)}")
    return AutopilotRow(**{**structs.asdict(config), "create_index": 0, "modify_index": 0})


def _cas(query: Query) -> int | None:
    try:
        return query.uint("cas")
    except InvalidError as error:
        raise InvalidError(f"Bad request: Error parsing cas value: {error}") from error

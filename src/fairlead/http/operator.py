"""/v1/operator: what tools ask about the servers of the cluster.

Source: Consul's operator pages; shapes as observed on 1.8.7.
"""

from __future__ import annotations

import time
from typing import Any

from fairlead.agent.agent import Agent
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from fairlead.http.messages import Request, Response, json_response
from fairlead.version import API_VERSION

__all__ = ["autopilot_health", "raft_configuration", "raft_remove_peer"]


def raft_configuration(agent: Agent, request: Request) -> Response:
    """The servers; this one leads."""
    server = {
        "ID": agent.node.id,
        "Node": agent.node.node,
        "Address": agent.server_address,
        "Leader": True,
        "ProtocolVersion": "3",
        "Voter": True,
    }
    return json_response({"Servers": [server], "Index": 0})


def raft_remove_peer(agent: Agent, request: Request) -> Response:
    """No server can be removed from a cluster of one."""
    query = request.query
    peer_id, address = query.get("id"), query.get("address")
    if not peer_id and not address:
        raise InvalidError(
            "Bad request: Must specify either ?id with the server's ID or ?address with "
            "IP:port of peer to remove"
        )
    if peer_id and address:
        raise InvalidError("Bad request: Must specify only one of ?id or ?address")
    if peer_id == agent.node.id or address == agent.server_address:
        raise InvalidError("the only server cannot be removed")
    what = f'id "{peer_id}"' if peer_id else f'address "{address}"'
    raise InvalidError(f"{what} was not found in the Raft configuration")


def autopilot_health(agent: Agent, request: Request) -> Response:
    since = time.gmtime(agent.started_ns // SECOND_NS)
    server: dict[str, Any] = {
        "ID": agent.node.id,
        "Name": agent.node.node,
        "Address": agent.server_address,
        "SerfStatus": "alive",
        "Version": API_VERSION,
        "Leader": True,
        "LastContact": "0s",
        "LastTerm": 1,
        "LastIndex": agent.store.state.index,
        "Healthy": True,
        "Voter": True,
        "StableSince": time.strftime("%Y-%m-%dT%H:%M:%SZ", since),
    }
    return json_response({"Healthy": True, "FailureTolerance": 0, "Servers": [server]})

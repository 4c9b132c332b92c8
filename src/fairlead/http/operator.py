"""/v1/operator: what tools ask about the servers of the cluster.

Source: Consul's operator pages; shapes as observed on 1.8.7.
"""

from __future__ import annotations

import time
from typing import Any

from fairlead.agent.agent import Agent
from fairlead.agent.servers import servers
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from fairlead.http.messages import Request, Response, json_response
from fairlead.version import API_VERSION

__all__ = ["autopilot_health", "raft_configuration", "raft_remove_peer"]


def raft_configuration(agent: Agent, request: Request) -> Response:
    """The servers."""
    found = [
        {
            "ID": server.id,
            "Node": server.node,
            "Address": server.address,
            "Leader": server.leads,
            "ProtocolVersion": "3",
            "Voter": True,
        }
        for server in servers(agent)
    ]
    return json_response({"Servers": found, "Index": 0})


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
    """Whether the servers are well, and how many more may fail before none can write."""
    since = time.gmtime(agent.started_ns // SECOND_NS)
    known = servers(agent)
    contact = agent.store.contact
    found: list[dict[str, Any]] = []
    for server in known:
        is_alive = server.status == "alive"
        found.append(
            {
                "ID": server.id,
                "Name": server.node,
                "Address": server.address,
                "SerfStatus": server.status,
                "Version": API_VERSION,
                "Leader": server.leads,
                "LastContact": "0s" if server.leads else f"{contact.age_ms}ms",
                "LastTerm": 1,
                "LastIndex": agent.store.state.index,
                "Healthy": is_alive,
                "Voter": True,
                "StableSince": time.strftime("%Y-%m-%dT%H:%M:%SZ", since),
            }
        )
    alive = sum(server["Healthy"] for server in found)
    tolerance = max(alive - (len(found) // 2 + 1), 0)
    healthy = alive == len(found) and contact.known_leader
    answer = {"Healthy": healthy, "FailureTolerance": tolerance, "Servers": found}
    return json_response(answer, 200 if healthy else 429)

"""/v1/status and /v1/catalog/datacenters: who leads, and which datacenters there are."""

from __future__ import annotations

from fairlead.agent.agent import Agent
from fairlead.agent.servers import servers
from fairlead.http.messages import Request, Response, json_response, text_response
from fairlead.http.remote import wan_of

__all__ = ["datacenters", "leader", "peers", "root"]


def root(agent: Agent, request: Request) -> Response:
    """What Consul says at `/` when its pages are off; probes look for it."""
    return text_response("Consul Agent")


def leader(agent: Agent, request: Request) -> Response:
    """Empty as long as nobody leads."""
    if agent.store.following is None:
        return json_response(agent.server_address)
    leader = agent.store.leader
    return json_response(leader.address if leader is not None else "")


def peers(agent: Agent, request: Request) -> Response:
    return json_response([server.address for server in servers(agent)])


def datacenters(agent: Agent, request: Request) -> Response:
    """Sorted by how far they are."""
    return json_response(wan_of(agent).datacenters())

"""/v1/agent: members, join, leave, force-leave.

Source: Consul's agent page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from fairlead.agent import describe
from fairlead.agent.agent import Agent
from fairlead.agent.cluster.addresses import JoinError
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.errors import FairleadError, InvalidError
from fairlead.http.messages import Request, Response, empty, json_response

__all__ = ["force_leave", "join", "leave", "members"]

_NO_SEGMENTS = "Network segments are not supported in this version of Consul"
_WAN_SEGMENT = "Cannot provide a segment with wan=true"


async def members(agent: Agent, request: Request) -> Response:
    wan, segment = bool(request.query.get("wan")), request.query.get("segment")
    if segment not in ("", "_all") and wan:
        raise InvalidError(_WAN_SEGMENT)
    if segment not in ("", "_all"):
        is_server = agent.settings.server
        raise InvalidError(_NO_SEGMENTS if is_server else f'segment "{segment}" not found')
    rows = await (agent.cluster.wan_members() if wan else agent.cluster.members())
    return json_response(None if rows is None else [describe.member(row) for row in rows])


async def join(agent: Agent, request: Request) -> Response:
    address = request.path[len("/v1/agent/join/") :]
    if not address:
        raise InvalidError("Missing address")
    try:
        if request.query.get("wan"):
            await agent.cluster.join_wan(address)
        else:
            await agent.cluster.join(address)
    except JoinError as error:
        raise FairleadError(f"1 error occurred:\n\t* {error}\n\n") from error
    return empty()


async def leave(agent: Agent, request: Request) -> Response:
    await agent.leave()
    return empty()


async def force_leave(agent: Agent, request: Request) -> Response:
    """A client forwards it."""
    assert isinstance(agent.cluster, ServerCluster)
    name = request.path[len("/v1/agent/force-leave/") :]
    await agent.cluster.force_leave(name, prune="prune" in request.query)
    return empty()

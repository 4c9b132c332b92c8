"""/v1/agent/check: this agent's checks, registering them, telling TTL checks how things are.

Source: Consul's agent/check page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.definitions import STATUSES
from fairlead.core.filters import CHECKS
from fairlead.errors import InvalidError
from fairlead.http.agent_services import CHECK_NAMES
from fairlead.http.catalog_reads import wanted
from fairlead.http.decoding import decode_struct
from fairlead.http.messages import Request, Response, empty, json_response

__all__ = ["deregister", "fail", "list_all", "pass_", "register", "update", "warn"]

# Here a check's own id is `ID`, and `CheckID` is unknown.
_NAMES = {CheckDefinition: {**CHECK_NAMES, "id": "check_id", "checkid": ""}}
_DEREGISTER = "/v1/agent/check/deregister/"


class _Update(Struct, frozen=True):
    """The body of an update."""

    status: str = ""
    output: str = ""


def list_all(agent: Agent, request: Request) -> Response:
    checks = agent.registrations.local.checks
    rows = wanted(request.query, CHECKS, [checks[check_id].row for check_id in sorted(checks)])
    return json_response({row.check_id: row for row in rows})


async def register(agent: Agent, request: Request) -> Response:
    definition = decode_struct(request.body, CheckDefinition, _NAMES)
    await agent.registrations.register_check(definition)
    return empty()


async def deregister(agent: Agent, request: Request) -> Response:
    check_id = request.path[len(_DEREGISTER) :]
    if not check_id:
        raise InvalidError("CheckID missing")
    await agent.registrations.deregister_check(check_id)
    return empty()


async def pass_(agent: Agent, request: Request) -> Response:
    return await _refresh(agent, request, "passing")


async def warn(agent: Agent, request: Request) -> Response:
    return await _refresh(agent, request, "warning")


async def fail(agent: Agent, request: Request) -> Response:
    return await _refresh(agent, request, "critical")


async def _refresh(agent: Agent, request: Request, status: str) -> Response:
    check_id = request.path.split("/", 5)[5]
    await agent.registrations.refresh_check(check_id, status, request.query.get("note"))
    return empty()


async def update(agent: Agent, request: Request) -> Response:
    wanted = decode_struct(request.body, _Update, {})
    if wanted.status not in STATUSES:
        raise InvalidError(f"Invalid check status: '{wanted.status}'")
    check_id = request.path.split("/", 5)[5]
    await agent.registrations.refresh_check(check_id, wanted.status, wanted.output)
    return empty()

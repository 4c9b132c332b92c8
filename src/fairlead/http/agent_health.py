"""/v1/agent/health/service: how this agent's services are, as a status code.

200 passing, 429 warning, 503 critical or in maintenance, 404 unknown; the
header `X-Consul-Reason` says it in a word, and `?format=text` the body too.
Source: Consul's agent/service page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from typing import Any

from fairlead.agent.agent import Agent
from fairlead.core.health import CRITICAL, MAINTENANCE, PASSING, WARNING
from fairlead.core.rows import CheckRow
from fairlead.errors import InvalidError
from fairlead.http.agent_services import view
from fairlead.http.messages import Request, Response, json_response

__all__ = ["service_by_id", "service_by_name"]

_STATUSES = {PASSING: 200, WARNING: 429, CRITICAL: 503, MAINTENANCE: 503}
_WORST = (MAINTENANCE, CRITICAL, WARNING, PASSING)
_BY_ID, _BY_NAME = "/v1/agent/health/service/id/", "/v1/agent/health/service/name/"
_DEFINITION = {
    "Interval": "0s",
    "Timeout": "0s",
    "DeregisterCriticalServiceAfter": "0s",
    "HTTP": "",
    "Header": None,
    "Method": "",
    "Body": "",
    "TLSSkipVerify": False,
    "TCP": "",
}


def service_by_id(agent: Agent, request: Request) -> Response:
    service_id = request.path[len(_BY_ID) :]
    if not service_id:
        raise InvalidError("Bad request: Missing serviceID")
    if service_id not in agent.registrations.local.services:
        reason = f"ServiceId {service_id} not found"
        if _wants_text(request):
            return _with_reason(json_response(reason, 404), reason)
        unknown = {"AggregatedStatus": CRITICAL, "Service": None, "Checks": None}
        return _with_reason(json_response(unknown, 404), reason)
    status, shown = _health(agent, service_id)
    return _answer(request, status, shown)


def service_by_name(agent: Agent, request: Request) -> Response:
    name = request.path[len(_BY_NAME) :]
    if not name:
        raise InvalidError("Bad request: Missing service Name")
    services = agent.registrations.local.services
    ids = sorted(id_ for id_, local in services.items() if local.service.service == name)
    if not ids:
        reason = f"ServiceName {name} Not Found"
        if _wants_text(request):
            return _with_reason(Response(404, reason.encode(), b"text/plain"), reason)
        return _with_reason(json_response([], 404), reason)
    found = [_health(agent, id_) for id_ in ids]
    statuses = {status for status, _ in found}
    worst = next(status for status in _WORST if status in statuses)
    return _answer(request, worst, [shown for _, shown in found])


def _health(agent: Agent, service_id: str) -> tuple[str, dict[str, Any]]:
    local = agent.registrations.local
    status, checks = local.health_of(service_id)
    return status, {
        "AggregatedStatus": status,
        "Service": view(local.services[service_id].service),
        "Checks": [_check(check) for check in checks],
    }


def _check(check: CheckRow) -> dict[str, Any]:
    """A check as these two endpoints show it: otherwise than all others do."""
    return {
        "Node": check.node,
        "CheckID": check.check_id,
        "Name": check.name,
        "Status": check.status,
        "Notes": check.notes,
        "Output": check.output,
        "ServiceID": check.service_id,
        "ServiceName": check.service_name,
        "ServiceTags": check.service_tags or None,
        "Type": "",
        "Definition": _DEFINITION,
        "CreateIndex": 0,
        "ModifyIndex": 0,
    }


def _answer(request: Request, status: str, shown: Any) -> Response:
    code = _STATUSES.get(status, 503)
    if _wants_text(request):
        return _with_reason(Response(code, status.encode(), b"text/plain"), status)
    return _with_reason(json_response(shown, code), status)


def _wants_text(request: Request) -> bool:
    if request.query.get("format") == "text":
        return True
    return request.headers.get(b"accept", b"") == b"text/plain"


def _with_reason(response: Response, reason: str) -> Response:
    response.headers = b"X-Consul-Reason: %b\r\n" % reason.encode("latin-1", "replace")
    return response

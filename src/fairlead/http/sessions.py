"""/v1/session: create, destroy, info, node, list, renew.

Source: Consul's sessions page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from fairlead.agent.agent import Agent
from fairlead.core import sessions
from fairlead.core.commands import SessionCreate, SessionDestroy
from fairlead.core.rows import ServiceCheck, SessionRow
from fairlead.durations import INT64, SECOND_NS, parse_duration
from fairlead.errors import InvalidError, NotFoundError
from fairlead.http.api import Found
from fairlead.http.bodies import decode_object, json_type
from fairlead.http.messages import JSON, Request, Response, json_response

__all__ = ["create", "destroy", "info", "list_all", "node", "renew"]

_DECODE = "Request decode failed"
_LOCK_DELAY_NS = 15 * SECOND_NS
_SERF_HEALTH = "serfHealth"


async def create(agent: Agent, request: Request) -> Response:
    fields = decode_object(request.body, _DECODE) if request.body.strip() else {}
    session = _session(agent, fields, request.source or agent.node.node)
    ttl_ns = sessions.parse_ttl(session.ttl, agent.settings.session_ttl_min)
    await agent.store.submit(SessionCreate(session))
    if ttl_ns:
        agent.session_timers.track(session)
    return json_response({"ID": session.id})


async def destroy(agent: Agent, request: Request) -> Response:
    session_id = _session_id(request)
    await agent.store.submit(SessionDestroy(session_id, agent.clock.now_ns()))
    return Response(200, b"true", JSON)


def info(agent: Agent, request: Request) -> Found:
    return Found(sessions.read_session(agent.store.state, _session_id(request)), json_response)


def list_all(agent: Agent, request: Request) -> Found:
    return Found(sessions.read_sessions(agent.store.state), json_response)


def node(agent: Agent, request: Request) -> Found:
    name = request.path[len("/v1/session/node/") :]
    if not name:
        raise InvalidError("Missing node name")
    return Found(sessions.read_node_sessions(agent.store.state, name), json_response)


def renew(agent: Agent, request: Request) -> Response:
    session_id = _session_id(request)
    session = agent.store.state.sessions.rows.get(session_id)
    if session is None:
        raise NotFoundError(f"Session id '{session_id}' not found")
    agent.session_timers.track(session)
    return json_response([session])


def _session_id(request: Request) -> str:
    """The id at the end of the path.

    Raises:
        InvalidError: there is none, or it cannot be one.
    """
    session_id = request.path.split("/", 4)[4]
    if not session_id:
        raise InvalidError("Missing session")
    if len(session_id) != 36:
        raise InvalidError("failed session lookup: index error: UUID must be 36 characters")
    return session_id


# ---------------------------------------------------------------- the body of create


def _session(agent: Agent, fields: dict[str, Any], node: str) -> SessionRow:
    node_checks, checks = _checks(fields)
    return SessionRow(
        id=agent.clock.new_id(),
        name=_text(fields, "Name"),
        node=_text(fields, "Node") or node,
        lock_delay=_lock_delay(fields),
        behavior=_text(fields, "Behavior") or "release",
        ttl=_text(fields, "TTL"),
        node_checks=node_checks,
        service_checks=_service_checks(fields),
        checks=checks if checks else UNSET,
    )


def _checks(fields: dict[str, Any]) -> tuple[list[str], list[str]]:
    """NodeChecks, and Checks, their name before 1.7: which of them count if both are given.

    No list asks for the node's own health, an empty one for no check at all.
    """
    default = [_SERF_HEALTH]
    checks = _texts(fields, "Checks") if "checks" in fields else default
    node_checks = _texts(fields, "NodeChecks") if "nodechecks" in fields else default
    if not checks:
        return [], []
    if node_checks != default or checks == default:
        return node_checks, []
    return node_checks, checks


def _lock_delay(fields: dict[str, Any]) -> int:
    """Text is a duration; a number below 1000 is seconds, any other nanoseconds."""
    value = fields.get("lockdelay")
    if value is None:
        return _LOCK_DELAY_NS
    if isinstance(value, str):
        try:
            return parse_duration(value)
        except InvalidError as error:
            raise InvalidError(f"{_DECODE}: {error}") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong_type("LockDelay", value, "duration")
    whole = int(value)
    delay_ns = whole * SECOND_NS if whole < 1000 else whole
    if delay_ns not in INT64:
        raise InvalidError(f"{_DECODE}: LockDelay: {value} is beyond 64 bits of nanoseconds")
    return delay_ns


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name.lower())
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong_type(name, value, "string")
    return value


def _texts(fields: dict[str, Any], name: str) -> list[str]:
    value = fields.get(name.lower())
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _wrong_type(name, value, "list of strings")
    return value


def _service_checks(fields: dict[str, Any]) -> list[ServiceCheck] | None:
    value = fields.get("servicechecks")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _wrong_type("ServiceChecks", value, "list of objects")
    checks = []
    for item in value:
        lowered = {name.lower(): field for name, field in item.items()}
        checks.append(ServiceCheck(_text(lowered, "ID"), _text(lowered, "Namespace")))
    return checks


def _wrong_type(name: str, value: Any, wanted: str) -> InvalidError:
    return InvalidError(
        f"{_DECODE}: json: cannot unmarshal {json_type(value)} into field {name} of type {wanted}"
    )

"""/v1/query: prepared queries.

Source: Consul's page "Prepared Query HTTP Endpoint"; texts as observed on 1.8.7.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.wan.failover import Elsewhere, fail_over, has_failover
from fairlead.core import lookup, queries
from fairlead.core.commands import QueryDelete, QuerySet
from fairlead.core.rows import QueryDNS, QueryRow, QueryService, QueryTemplate
from fairlead.core.templates import check_template
from fairlead.durations import parse_duration
from fairlead.errors import InvalidError, NotFoundError
from fairlead.http.api import Found, Outcome
from fairlead.http.catalog_reads import found
from fairlead.http.decoding import decode_struct
from fairlead.http.messages import Request, Response, contact_headers, empty, json_response
from fairlead.http.params import parse_bool
from fairlead.http.remote import wan_of

__all__ = ["create", "delete", "get", "list_all", "update"]

_PREFIX = len("/v1/query/")
_EXECUTE = "/execute"
_EXPLAIN = "/explain"
_UUID_LENGTH = 36
_NO_UUID = "failed prepared query lookup: index error: UUID must be 36 characters"


class _Given(Struct):
    """A query as clients send it."""

    id: str = ""
    name: str = ""
    session: str = ""
    token: str = ""
    template: QueryTemplate = QueryTemplate()
    service: QueryService = QueryService()
    dns: QueryDNS = QueryDNS()
    create_index: int = 0
    modify_index: int = 0


def list_all(agent: Agent, request: Request) -> Found:
    return found(agent, request, queries.read_queries(agent.store.state))


async def create(agent: Agent, request: Request) -> Response:
    given = decode_struct(request.body, _Given, {})
    if given.id:
        raise InvalidError("ID must be empty when creating a new prepared query")
    query = _checked(given, agent.clock.new_id())
    await agent.store.submit(QuerySet(query, True))
    return json_response({"ID": query.id})


def get(agent: Agent, request: Request) -> Outcome:
    """One query; or what it finds, or how its template is filled in."""
    rest = request.path[_PREFIX:]
    if rest.endswith(_EXECUTE):
        return _execute(agent, request, rest.removesuffix(_EXECUTE))
    if rest.endswith(_EXPLAIN):
        return _explain(agent, rest.removesuffix(_EXPLAIN))
    if len(rest) != _UUID_LENGTH:
        raise InvalidError(_NO_UUID)
    read = queries.read_query(agent.store.state, rest)
    if not read.value:
        raise NotFoundError("Query not found")
    return found(agent, request, read)


async def update(agent: Agent, request: Request) -> Response:
    given = decode_struct(request.body, _Given, {})
    await agent.store.submit(QuerySet(_checked(given, _known_id(agent, request)), False))
    return empty()


async def delete(agent: Agent, request: Request) -> Response:
    await agent.store.submit(QueryDelete(_known_id(agent, request)))
    return empty()


def _known_id(agent: Agent, request: Request) -> str:
    query_id = request.path[_PREFIX:]
    if len(query_id) != _UUID_LENGTH:
        raise InvalidError(f"Prepared Query lookup failed: {_NO_UUID}")
    # Consul says so of a delete too.
    if query_id not in agent.store.state.queries.rows:
        raise InvalidError(f"Cannot modify non-existent prepared query: '{query_id}'")
    return query_id


def _checked(given: _Given, query_id: str) -> QueryRow:
    """Raises: InvalidError, in Consul's words."""
    prefix = "Invalid prepared query"
    if not given.name and not given.session and not given.template.type:
        raise InvalidError(f"{prefix}: Must be bound to a session")
    if not given.service.service:
        raise InvalidError(f"{prefix}: Must provide a Service name to query")
    if given.service.failover.nearest_n < 0:
        nearest = given.service.failover.nearest_n
        raise InvalidError(f"{prefix}: Bad NearestN '{nearest}', must be >= 0")
    if given.dns.ttl:
        try:
            ttl_ns = parse_duration(given.dns.ttl)
        except InvalidError as error:
            raise InvalidError(f"{prefix}: Bad DNS TTL '{given.dns.ttl}': {error}") from error
        if ttl_ns < 0:
            raise InvalidError(f"{prefix}: DNS TTL '{ttl_ns}', must be >=0")
    query = QueryRow(
        id=query_id,
        name=given.name,
        session=given.session,
        token=given.token,
        template=given.template,
        service=given.service,
        dns=given.dns,
    )
    check_template(query)
    return query


# ---------------------------------------------------------------- what a query finds


def _execute(agent: Agent, request: Request, name: str) -> Outcome:
    params = request.query
    limit = _limit(params.get("limit"))
    connect = params.get("connect")
    wants_connect = parse_bool(connect) if connect else False
    if wants_connect is None:
        raise InvalidError(
            f"Error parsing 'connect' value: strconv.ParseBool: parsing \"{connect}\": "
            "invalid syntax"
        )
    query = _rendered(agent, name)
    near = params.get("near") or query.service.near
    near = agent.node.node if near in ("_agent", "_ip") else near
    nodes = lookup.execute(agent.store.state, query, near, connect=wants_connect)
    if not nodes and has_failover(query):
        return _execute_elsewhere(agent, query, limit, connect=wants_connect)
    if not near:
        agent.clock.shuffle(nodes)
    nodes = nodes[:limit] if limit > 0 else nodes
    return _found(agent, query, Elsewhere(agent.settings.datacenter, nodes, 0))


async def _execute_elsewhere(
    agent: Agent, query: QueryRow, limit: int, *, connect: bool
) -> Response:
    own = agent.settings.datacenter
    found = await fail_over(wan_of(agent), query, own, limit=limit, connect=connect)
    return _found(agent, query, found)


def _found(agent: Agent, query: QueryRow, found: Elsewhere) -> Response:
    return _answer(
        agent,
        {
            "Service": query.service.service,
            "Nodes": found.instances,
            "DNS": query.dns,
            "Datacenter": found.datacenter,
            "Failovers": found.failovers,
        },
    )


def _explain(agent: Agent, name: str) -> Response:
    return _answer(agent, {"Query": _rendered(agent, name)})


def _answer(agent: Agent, value: dict[str, Any]) -> Response:
    contact = agent.store.contact
    value |= {
        "Index": 0,
        "LastContact": contact.age_ms,
        "KnownLeader": contact.known_leader,
        "ConsistencyLevel": "leader",
    }
    response = json_response(value)
    response.headers = b"X-Consul-Index: 1\r\n%bX-Consul-Effective-Consistency: leader\r\n" % (
        contact_headers(contact)
    )
    return response


def _rendered(agent: Agent, name: str) -> QueryRow:
    query = lookup.find_rendered(agent.store.state, name)
    if query is None:
        raise NotFoundError("Query not found")
    return query


def _limit(text: str) -> int:
    try:
        return int(text) if text else 0
    except ValueError as error:
        raise InvalidError(f'Bad limit: strconv.Atoi: parsing "{text}": invalid syntax') from error

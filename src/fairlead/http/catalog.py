"""/v1/catalog: nodes, services, and registering them without an agent.

Source: Consul's catalog page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from operator import attrgetter
from string import hexdigits

from fairlead.agent.agent import Agent
from fairlead.core import directory
from fairlead.core.commands import CatalogDeregister, CatalogRegister
from fairlead.core.filters import NODES, SERVICE_NODES, SERVICES
from fairlead.core.reads import Read
from fairlead.core.service_indexes import absent_index, service_watch
from fairlead.errors import InvalidError
from fairlead.http.api import Found, Outcome
from fairlead.http.catalog_bodies import (
    Deregistration,
    Registration,
    check_row,
    decode_deregistration,
    decode_registration,
    node_row,
    service_row,
)
from fairlead.http.catalog_reads import (
    found,
    last_part,
    memo_of,
    nearest,
    node_meta,
    remembered,
    wanted,
)
from fairlead.http.messages import JSON, Request, Response
from fairlead.http.remote import elsewhere

__all__ = [
    "connect",
    "deregister",
    "gateway_services",
    "node",
    "node_services",
    "nodes",
    "register",
    "service",
    "services",
]

_NO_SERVICE = "Missing service name"
_NO_NODE = "Missing node name"
_DASHES = [8, 13, 18, 23]
_DIGITS = frozenset(hexdigits + "-")
_node_of = attrgetter("node")


# ---------------------------------------------------------------- writes


def register(agent: Agent, request: Request) -> Outcome:
    """`Datacenter` of the body says which catalog is meant; `?dc=` says nothing."""
    body = decode_registration(request.body)
    if body.datacenter not in ("", agent.settings.datacenter):
        return elsewhere(agent, request, body.datacenter)
    return _register(agent, body)


async def _register(agent: Agent, body: Registration) -> Response:
    checks = [*body.checks, body.check] if body.check is not None else body.checks
    rows = [check_row(check) for check in checks]
    if not body.node:
        raise InvalidError("Must provide node")
    if body.id:
        _check_node_id(body.id)
    service = service_row(body.service) if body.service is not None else None
    row = node_row(body, agent.settings.datacenter)
    now_ns = agent.clock.now_ns()
    await agent.store.submit(CatalogRegister(row, rows, service, body.skip_node_update, now_ns))
    return Response(200, b"true", JSON)


def deregister(agent: Agent, request: Request) -> Outcome:
    """As `register`."""
    body = decode_deregistration(request.body)
    if body.datacenter not in ("", agent.settings.datacenter):
        return elsewhere(agent, request, body.datacenter)
    return _deregister(agent, body)


async def _deregister(agent: Agent, body: Deregistration) -> Response:
    now_ns = agent.clock.now_ns()
    await agent.store.submit(CatalogDeregister(body.node, body.service_id, body.check_id, now_ns))
    return Response(200, b"true", JSON)


def _check_node_id(text: str) -> None:
    if len(text) != 36:
        raise InvalidError("Bad node ID: uuid string is wrong length")
    if [place for place, char in enumerate(text) if char == "-"] != _DASHES:
        raise InvalidError("Bad node ID: uuid is improperly formatted")
    odd = next((char for char in text if char not in _DIGITS), None)
    if odd is not None:
        raise InvalidError(f"Bad node ID: encoding/hex: invalid byte: U+{ord(odd):04X} '{odd}'")


# ---------------------------------------------------------------- nodes


def nodes(agent: Agent, request: Request) -> Found:
    query = request.query
    read = directory.read_nodes(agent.store.state, node_meta(query))
    rows = nearest(agent, query, wanted(query, NODES, read.value), _node_of)
    return found(agent, request, Read(rows, read.index, read.watches))


def node(agent: Agent, request: Request) -> Found:
    read = _node(agent, request)
    if read.value is None:
        return found(agent, request, read)
    row, rows = read.value
    value = {"Node": row, "Services": {each.id: each for each in rows}}
    return found(agent, request, Read(value, read.index, read.watches))


def node_services(agent: Agent, request: Request) -> Found:
    read = _node(agent, request)
    row, rows = read.value or (None, None)
    return found(agent, request, Read({"Node": row, "Services": rows}, read.index, read.watches))


def _node(agent: Agent, request: Request) -> Read:
    """A node and those of its services that are wanted."""
    name = last_part(request, _NO_NODE)
    read = directory.read_node(agent.store.state, name)
    row, rows = read.value or (None, [])
    rows = wanted(request.query, SERVICES, rows)
    return Read(None if row is None else (row, rows), read.index, read.watches)


# ---------------------------------------------------------------- services


def services(agent: Agent, request: Request) -> Found:
    state, meta = agent.store.state, node_meta(request.query)
    if meta:
        read = directory.read_services_with(state, meta)
    else:
        read = directory.read_services(state, memo_of(agent).tags)
    return found(agent, request, read, cached=True)


def service(agent: Agent, request: Request) -> Found:
    state = agent.store.state
    known = memo_of(agent).find(state, request.target)
    if known is not None:
        return known
    name = last_part(request, _NO_SERVICE)
    query = request.query
    read = directory.read_service(state, name, query.all("tag"), node_meta(query))
    rows = nearest(agent, query, wanted(query, SERVICE_NODES, read.value), _node_of)
    return remembered(agent, request, name, Read(rows, read.index, read.watches))


def connect(agent: Agent, request: Request) -> Found:
    """The instances that speak the mesh's protocol: there is no mesh."""
    name = last_part(request, _NO_SERVICE)
    rows: list[directory.ServiceNode] = wanted(request.query, SERVICE_NODES, [])
    index = absent_index(agent.store.state)
    return found(agent, request, Read(rows, index, (service_watch(name),)), cached=True)


def gateway_services(agent: Agent, request: Request) -> Found:
    last_part(request, "Missing gateway name")
    return found(agent, request, Read(None, agent.store.state.floor(0), ()))

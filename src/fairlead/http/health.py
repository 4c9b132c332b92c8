"""/v1/health: checks, and the instances of a service that are well.

Source: Consul's health page; statuses and texts as observed on 1.8.7.
"""

from __future__ import annotations

from operator import attrgetter

from fairlead.agent.agent import Agent
from fairlead.core import health
from fairlead.core.filters import CHECKS, INSTANCES
from fairlead.core.reads import Read
from fairlead.core.service_indexes import absent_index, service_watch
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.catalog_reads import (
    found,
    last_part,
    memo_of,
    nearest,
    node_meta,
    remembered,
    wanted,
)
from fairlead.http.messages import Request
from fairlead.http.params import Query, parse_bool

__all__ = ["checks", "connect", "ingress", "node", "service", "state"]

_NO_SERVICE = "Missing service name"
_check_node = attrgetter("node")
_instance_node = attrgetter("node.node")


def node(agent: Agent, request: Request) -> Found:
    name = last_part(request, "Missing node name")
    return _checks(agent, request, health.read_node_checks(agent.store.state, name))


def checks(agent: Agent, request: Request) -> Found:
    name = last_part(request, _NO_SERVICE)
    read = health.read_service_checks(agent.store.state, name, node_meta(request.query))
    return _checks(agent, request, read)


def state(agent: Agent, request: Request) -> Found:
    status = last_part(request, "Missing check state")
    read = health.read_state_checks(agent.store.state, status, node_meta(request.query))
    return _checks(agent, request, read)


def _checks(agent: Agent, request: Request, read: Read) -> Found:
    rows = wanted(request.query, CHECKS, read.value)
    rows = nearest(agent, request.query, rows, _check_node)
    return found(agent, request, Read(rows, read.index, read.watches))


def service(agent: Agent, request: Request) -> Found:
    state = agent.store.state
    known = memo_of(agent).find(state, request.target)
    if known is not None:
        return known
    name = last_part(request, _NO_SERVICE)
    query = request.query
    passing = _passing(query)
    read = health.read_health(state, name, query.all("tag"), node_meta(query))
    rows = wanted(query, INSTANCES, read.value)
    if passing:
        rows = list(filter(health.is_passing, rows))
    rows = nearest(agent, query, rows, _instance_node)
    return remembered(agent, request, name, Read(rows, read.index, read.watches))


def connect(agent: Agent, request: Request) -> Found:
    """The instances that speak the mesh's protocol: there is no mesh."""
    name = last_part(request, _NO_SERVICE)
    return _none(agent, request, absent_index(agent.store.state), name)


def ingress(agent: Agent, request: Request) -> Found:
    """The gateways into the mesh: there is no mesh."""
    name = last_part(request, _NO_SERVICE)
    return _none(agent, request, agent.store.state.floor(0), name)


def _none(agent: Agent, request: Request, index: int, name: str) -> Found:
    _passing(request.query)
    rows: list[health.Instance] = wanted(request.query, INSTANCES, [])
    return found(agent, request, Read(rows, index, (service_watch(name),)), cached=True)


def _passing(query: Query) -> bool:
    """Whether only instances that are well are asked for; unlike other flags, it has a value."""
    if "passing" not in query:
        return False
    text = query.get("passing")
    value = parse_bool(text) if text else True
    if value is None:
        raise InvalidError("Invalid value for ?passing")
    return value

"""/v1/internal/ui: what dashboards ask.

Shapes as observed on Consul 1.8.7.
"""

from __future__ import annotations

from fairlead.agent.agent import Agent
from fairlead.core import overview
from fairlead.core.filters import INSTANCES
from fairlead.core.health import Instance, health_instances
from fairlead.core.reads import Read, Watch
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.catalog_reads import memo_of, wanted
from fairlead.http.messages import Request, Response, empty, json_response

__all__ = ["gateway_services", "node", "nodes", "services"]

_NODE = len("/v1/internal/ui/node/")
_WATCHES = (Watch("nodes"), Watch("services"), Watch("checks"))


def services(agent: Agent, request: Request) -> Found:
    """Every service with counts; `?filter=` has the selectors of `/v1/health/service`."""
    state = agent.store.state
    if not request.query.get("filter"):
        return Found(overview.read_summaries(state, memo_of(agent).summaries), json_response)
    found: dict[str, list[Instance]] = {}
    for name in {row.service.service for row in state.services.rows.values()}:
        instances = wanted(request.query, INSTANCES, health_instances(state, name, [], {}))
        if instances:
            found[name] = instances
    index = state.floor(max(state.nodes.index, state.services.index, state.checks.index))
    return Found(Read(overview.summaries(found), index, _WATCHES), json_response)


def nodes(agent: Agent, request: Request) -> Found:
    return Found(overview.read_dump(agent.store.state), json_response)


def node(agent: Agent, request: Request) -> Found | Response:
    name = request.path[_NODE:]
    if not name:
        raise InvalidError("Missing node name")
    read = overview.read_node_dump(agent.store.state, name)
    return Found(read, json_response) if read.value is not None else empty(404)


def gateway_services(agent: Agent, request: Request) -> Found:
    """There are no gateways."""
    state = agent.store.state
    return Found(Read([], state.floor(0), (Watch("services"),)), json_response)

"""/v1/agent: what this agent is, and its metrics."""

from __future__ import annotations

from fairlead.agent import describe, runtime
from fairlead.agent.agent import Agent
from fairlead.agent.cluster.identity import own_member
from fairlead.http.messages import Request, Response, json_response

__all__ = ["metrics", "self_"]


def self_(agent: Agent, request: Request) -> Response:
    return json_response(
        {
            "Config": describe.config(agent),
            "DebugConfig": describe.debug_config(agent.settings),
            "Coord": agent.cluster.position,
            "Member": describe.member(own_member(agent.settings, agent.node)),
            "Stats": describe.stats(agent),
            "Meta": agent.node.meta,
        }
    )


def metrics(agent: Agent, request: Request) -> Response:
    if agent.settings.server:
        runtime.measure(agent.metrics, agent.store, len(agent.session_timers))
    else:
        runtime.measure(agent.metrics, None, 0)
    if request.query.get("format") == "prometheus":
        text = agent.metrics.as_prometheus().encode()
        return Response(200, text, b"text/plain; version=0.0.4; charset=utf-8")
    return json_response(agent.metrics.as_json())

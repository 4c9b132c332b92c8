"""/v1/agent: what this agent is, and its metrics."""

from __future__ import annotations

from fairlead.agent import describe, runtime
from fairlead.agent.agent import Agent
from fairlead.http.messages import Request, Response, json_response

__all__ = ["members", "metrics", "self_"]


def self_(agent: Agent, request: Request) -> Response:
    return json_response(
        {
            "Config": describe.config(agent),
            "DebugConfig": describe.debug_config(agent.settings),
            "Coord": {"Vec": [0.0] * 8, "Error": 1.5, "Adjustment": 0, "Height": 0.00001},
            "Member": describe.member(agent),
            "Stats": describe.stats(agent),
            "Meta": agent.node.meta,
        }
    )


def members(agent: Agent, request: Request) -> Response:
    return json_response([describe.member(agent)])


def metrics(agent: Agent, request: Request) -> Response:
    runtime.measure(agent.store, agent.metrics, len(agent.session_timers))
    if request.query.get("format") == "prometheus":
        text = agent.metrics.as_prometheus().encode()
        return Response(200, text, b"text/plain; version=0.0.4; charset=utf-8")
    return json_response(agent.metrics.as_json())

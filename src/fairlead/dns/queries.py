"""Prepared queries, asked for by name: what `/v1/query/NAME/execute` finds."""

from __future__ import annotations

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.wan.failover import has_failover
from fairlead.core import lookup
from fairlead.core.state import State
from fairlead.dns.results import Found, QueryFinder
from fairlead.durations import SECOND_NS, parse_duration

__all__ = ["query_finder"]

_HERE = ("_agent", "_ip")
"""Words for who asks: to us, that is this agent."""


def query_finder(agent: Agent) -> QueryFinder:
    """Finds with the agent's eyes: near means near to it."""

    def find(state: State, name: str, source: str) -> Found | None:
        query = lookup.find_rendered(state, name)
        if query is None:
            return None
        near = agent.node.node if query.service.near in _HERE else query.service.near
        instances = lookup.execute(state, query, near)
        if not near:
            agent.clock.shuffle(instances)
        ttl = parse_duration(query.dns.ttl) // SECOND_NS if query.dns.ttl else None
        looks_elsewhere = not instances and has_failover(query)
        return Found(
            query.service.service, instances, ttl, query=query if looks_elsewhere else None
        )

    return find

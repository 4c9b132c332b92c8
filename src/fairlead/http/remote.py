"""Requests for another datacenter: a server asks there, and answers as it was answered.

`?dc=` of most routes, and `Datacenter` in the bodies of a few, say which one is
meant. A client hands such a request to its server like any other.

Rule: the request goes out as it came; who asked goes with it in a header.
"""

from __future__ import annotations

from fairlead.agent.agent import Agent
from fairlead.agent.cluster.cluster import ServerCluster
from fairlead.agent.cluster.wan.served import SOURCE
from fairlead.agent.cluster.wan.wan import Wan
from fairlead.http.forwarding import Forwarded
from fairlead.http.messages import Deferred, Request

__all__ = ["elsewhere", "remote", "wan_of"]


def wan_of(agent: Agent) -> Wan:
    """What a server knows of other datacenters."""
    assert isinstance(agent.cluster, ServerCluster), "a client forwards what needs one"
    return agent.cluster.wan


def remote(agent: Agent, request: Request) -> Deferred:
    """The handler of every request whose `?dc=` names another datacenter.

    Raises:
        UnavailableError: none of that name is known.
    """
    return elsewhere(agent, request, request.query.get("dc"))


def elsewhere(agent: Agent, request: Request, datacenter: str) -> Deferred:
    """The answer that is given there.

    Raises:
        UnavailableError: as for `remote`.
    """
    path = wan_of(agent).path(datacenter)
    source = request.source or agent.node.node
    return Forwarded(path, request, [(SOURCE, source.encode())], near=source)

"""Every path and method on one page, sorted.

To add an endpoint: a function in `http/<noun>.py`, and a row here. A path that
ends in `/` stands for all below it; the longest that matches is taken.
"""

from __future__ import annotations

from fairlead.http import (
    agent,
    agent_checks,
    agent_health,
    agent_services,
    kv,
    sessions,
    snapshot,
    status,
    txn,
)
from fairlead.http.api import Route

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    Route("/", {"GET": status.root}, options=False, datacenter=False),
    Route("/v1/agent/check/deregister/", {"PUT": agent_checks.deregister}, options=False),
    Route("/v1/agent/check/fail/", {"PUT": agent_checks.fail}, options=False),
    Route("/v1/agent/check/pass/", {"PUT": agent_checks.pass_}, options=False),
    Route("/v1/agent/check/register", {"PUT": agent_checks.register}, options=False),
    Route("/v1/agent/check/update/", {"PUT": agent_checks.update}, options=False),
    Route("/v1/agent/check/warn/", {"PUT": agent_checks.warn}, options=False),
    Route("/v1/agent/checks", {"GET": agent_checks.list_all}, options=False),
    Route("/v1/agent/health/service/id/", {"GET": agent_health.service_by_id}, options=False),
    Route("/v1/agent/health/service/name/", {"GET": agent_health.service_by_name}, options=False),
    Route("/v1/agent/maintenance", {"PUT": agent_services.node_maintenance}, options=False),
    Route("/v1/agent/members", {"GET": agent.members}, options=False, datacenter=False),
    Route("/v1/agent/metrics", {"GET": agent.metrics}, options=False, datacenter=False),
    Route("/v1/agent/self", {"GET": agent.self_}, options=False, datacenter=False),
    Route("/v1/agent/service/", {"GET": agent_services.one}, options=False),
    Route("/v1/agent/service/deregister/", {"PUT": agent_services.deregister}, options=False),
    Route("/v1/agent/service/maintenance/", {"PUT": agent_services.maintenance}, options=False),
    Route("/v1/agent/service/register", {"PUT": agent_services.register}, options=False),
    Route("/v1/agent/services", {"GET": agent_services.list_all}, options=False),
    Route("/v1/catalog/datacenters", {"GET": status.datacenters}, datacenter=False),
    Route("/v1/kv/", {"GET": kv.get, "PUT": kv.put, "DELETE": kv.delete}, body_limit=kv.body_limit),
    Route("/v1/session/create", {"PUT": sessions.create}, options=False),
    Route("/v1/session/destroy/", {"PUT": sessions.destroy}, options=False),
    Route("/v1/session/info/", {"GET": sessions.info}),
    Route("/v1/session/list", {"GET": sessions.list_all}),
    Route("/v1/session/node/", {"GET": sessions.node}),
    Route("/v1/session/renew/", {"PUT": sessions.renew}),
    Route(
        "/v1/snapshot",
        {"GET": snapshot.get, "PUT": snapshot.put},
        options=False,
        body_limit=snapshot.body_limit,
    ),
    Route("/v1/status/leader", {"GET": status.leader}),
    Route("/v1/status/peers", {"GET": status.peers}),
    Route("/v1/txn", {"PUT": txn.put}, body_limit=txn.body_limit),
)

"""Every path and method on one page, sorted.

To add an endpoint: a function in `http/<noun>.py`, and a row here. A path that
ends in `/` stands for all below it; the longest that matches is taken.
"""

from __future__ import annotations

from fairlead.http import (
    agent,
    agent_checks,
    agent_health,
    agent_process,
    agent_services,
    catalog,
    cluster,
    coordinates,
    events,
    health,
    internal_ui,
    kv,
    operator,
    queries,
    sessions,
    snapshot,
    status,
    txn,
)
from fairlead.http.api import Route

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    Route("/", {"GET": status.root}, options=False, datacenter=False, local=True),
    Route(
        "/v1/agent/check/deregister/", {"PUT": agent_checks.deregister}, options=False, local=True
    ),
    Route("/v1/agent/check/fail/", {"PUT": agent_checks.fail}, options=False, local=True),
    Route("/v1/agent/check/pass/", {"PUT": agent_checks.pass_}, options=False, local=True),
    Route("/v1/agent/check/register", {"PUT": agent_checks.register}, options=False, local=True),
    Route("/v1/agent/check/update/", {"PUT": agent_checks.update}, options=False, local=True),
    Route("/v1/agent/check/warn/", {"PUT": agent_checks.warn}, options=False, local=True),
    Route("/v1/agent/checks", {"GET": agent_checks.list_all}, options=False, local=True),
    Route("/v1/agent/force-leave/", {"PUT": cluster.force_leave}, options=False, datacenter=False),
    Route(
        "/v1/agent/health/service/id/",
        {"GET": agent_health.service_by_id},
        options=False,
        local=True,
    ),
    Route(
        "/v1/agent/health/service/name/",
        {"GET": agent_health.service_by_name},
        options=False,
        local=True,
    ),
    Route(
        "/v1/agent/host", {"GET": agent_process.host}, options=False, datacenter=False, local=True
    ),
    Route("/v1/agent/join/", {"PUT": cluster.join}, options=False, datacenter=False, local=True),
    Route("/v1/agent/leave", {"PUT": cluster.leave}, options=False, datacenter=False, local=True),
    Route(
        "/v1/agent/maintenance", {"PUT": agent_services.node_maintenance}, options=False, local=True
    ),
    Route(
        "/v1/agent/members", {"GET": cluster.members}, options=False, datacenter=False, local=True
    ),
    Route("/v1/agent/metrics", {"GET": agent.metrics}, options=False, datacenter=False, local=True),
    Route(
        "/v1/agent/monitor",
        {"GET": agent_process.monitor},
        options=False,
        datacenter=False,
        local=True,
    ),
    Route(
        "/v1/agent/reload",
        {"PUT": agent_process.reload},
        options=False,
        datacenter=False,
        local=True,
    ),
    Route("/v1/agent/self", {"GET": agent.self_}, options=False, datacenter=False, local=True),
    Route("/v1/agent/service/", {"GET": agent_services.one}, options=False, local=True),
    Route(
        "/v1/agent/service/deregister/",
        {"PUT": agent_services.deregister},
        options=False,
        local=True,
    ),
    Route(
        "/v1/agent/service/maintenance/",
        {"PUT": agent_services.maintenance},
        options=False,
        local=True,
    ),
    Route(
        "/v1/agent/service/register", {"PUT": agent_services.register}, options=False, local=True
    ),
    Route("/v1/agent/services", {"GET": agent_services.list_all}, options=False, local=True),
    Route(
        "/v1/agent/version",
        {"GET": agent_process.version},
        options=False,
        datacenter=False,
        local=True,
    ),
    Route("/v1/catalog/connect/", {"GET": catalog.connect}),
    Route(
        "/v1/catalog/datacenters",
        {"GET": status.datacenters},
        datacenter=False,
        is_any_servers=True,
    ),
    Route("/v1/catalog/deregister", {"PUT": catalog.deregister}, options=False, datacenter=False),
    Route("/v1/catalog/gateway-services/", {"GET": catalog.gateway_services}),
    Route("/v1/catalog/node-services/", {"GET": catalog.node_services}),
    Route("/v1/catalog/node/", {"GET": catalog.node}),
    Route("/v1/catalog/nodes", {"GET": catalog.nodes}),
    Route("/v1/catalog/register", {"PUT": catalog.register}, options=False, datacenter=False),
    Route("/v1/catalog/service/", {"GET": catalog.service}),
    Route("/v1/catalog/services", {"GET": catalog.services}),
    Route(
        "/v1/coordinate/datacenters",
        {"GET": coordinates.datacenters},
        options=False,
        datacenter=False,
    ),
    Route("/v1/coordinate/node/", {"GET": coordinates.node}),
    Route("/v1/coordinate/nodes", {"GET": coordinates.nodes}),
    Route("/v1/coordinate/update", {"PUT": coordinates.update}, options=False),
    Route("/v1/event/fire/", {"PUT": events.fire}, options=False),
    Route("/v1/event/list", {"GET": events.list_all}, datacenter=False),
    Route("/v1/health/checks/", {"GET": health.checks}),
    Route("/v1/health/connect/", {"GET": health.connect}),
    Route("/v1/health/ingress/", {"GET": health.ingress}),
    Route("/v1/health/node/", {"GET": health.node}),
    Route("/v1/health/service/", {"GET": health.service}),
    Route("/v1/health/state/", {"GET": health.state}),
    Route("/v1/internal/ui/gateway-services-nodes/", {"GET": internal_ui.gateway_services}),
    Route("/v1/internal/ui/node/", {"GET": internal_ui.node}),
    Route("/v1/internal/ui/nodes", {"GET": internal_ui.nodes}),
    Route("/v1/internal/ui/services", {"GET": internal_ui.services}),
    Route("/v1/kv/", {"GET": kv.get, "PUT": kv.put, "DELETE": kv.delete}, body_limit=kv.body_limit),
    Route(
        "/v1/operator/autopilot/configuration",
        {
            "GET": operator.autopilot_configuration,
            "PUT": operator.set_autopilot_configuration,
        },
    ),
    Route(
        "/v1/operator/autopilot/health",
        {"GET": operator.autopilot_health},
        options=False,
        is_leaders=True,
    ),
    Route("/v1/operator/raft/configuration", {"GET": operator.raft_configuration}),
    Route("/v1/operator/raft/peer", {"DELETE": operator.raft_remove_peer}, options=False),
    Route("/v1/query", {"GET": queries.list_all, "POST": queries.create}),
    Route("/v1/query/", {"GET": queries.get, "PUT": queries.update, "DELETE": queries.delete}),
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
    Route("/v1/status/leader", {"GET": status.leader}, is_any_servers=True),
    Route("/v1/status/peers", {"GET": status.peers}, is_any_servers=True),
    Route("/v1/txn", {"PUT": txn.put}, body_limit=txn.body_limit),
)

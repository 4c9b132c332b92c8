"""Every path and method on one page, sorted.

To add an endpoint: a function in `http/<noun>.py`, and a row here. A path that
ends in `/` stands for all below it; the longest that matches is taken.
"""

from __future__ import annotations

from fairlead.http import agent, cluster, kv, sessions, snapshot, status, txn
from fairlead.http.api import Route

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    Route("/", {"GET": status.root}, options=False, datacenter=False, local=True),
    Route("/v1/agent/force-leave/", {"PUT": cluster.force_leave}, options=False, datacenter=False),
    Route("/v1/agent/join/", {"PUT": cluster.join}, options=False, datacenter=False, local=True),
    Route("/v1/agent/leave", {"PUT": cluster.leave}, options=False, datacenter=False, local=True),
    Route(
        "/v1/agent/members", {"GET": cluster.members}, options=False, datacenter=False, local=True
    ),
    Route("/v1/agent/metrics", {"GET": agent.metrics}, options=False, datacenter=False, local=True),
    Route("/v1/agent/self", {"GET": agent.self_}, options=False, datacenter=False, local=True),
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

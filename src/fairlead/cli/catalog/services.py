"""`fairlead catalog services`."""

from __future__ import annotations

import sys

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.catalog.node_meta import node_meta_flag
from fairlead.cli.output import explained
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client

__all__ = ["command"]

_NONE = "No services match the given query - try expanding your search."
_GAP = 6


@verb("services", examples="fairlead catalog services -tags\nfairlead catalog services -node=n1")
@option("-node", help="Only those of this node.", default="", metavar="NODE")
@node_meta_flag
@switch("-tags", help="With the tags of each.")
@namespace_flag
@api_flags
def command(client: Client, node: str, node_meta: list[str], tags: bool) -> None:
    """List the names of the services of the datacenter."""
    params = {"node-meta": node_meta or None}
    services: dict[str, list[str]] = {}
    if node:
        with explained("Error listing services for node"):
            found = client.get(f"/v1/catalog/node/{node}", **params).json() or {}
        for row in (found.get("Services") or {}).values():
            services[row["Service"]] = services.get(row["Service"], []) + (row["Tags"] or [])
    else:
        with explained("Error listing services"):
            services = client.get("/v1/catalog/services", **params).object()
    if not services:
        print(_NONE, file=sys.stderr)
        return
    width = max(map(len, services)) + _GAP if tags else 0
    for name in sorted(services):
        print(f"{name:<{width}}{','.join(sorted(services[name]))}" if tags else name)

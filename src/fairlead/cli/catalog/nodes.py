"""`fairlead catalog nodes`."""

from __future__ import annotations

import sys
from typing import Any

from fairlead.cli.api import api_flags
from fairlead.cli.catalog.node_meta import node_meta_flag
from fairlead.cli.output import explained, joined_pairs, table
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client

__all__ = ["command"]

_NONE = "No nodes match the given query - try expanding your search."


@verb(
    "nodes",
    examples="""
fairlead catalog nodes -detailed
fairlead catalog nodes -service=web
fairlead catalog nodes -near=_agent -filter='Meta.rack == "r1"'
""",
)
@switch("-detailed", help="With the whole id, addresses and metadata.")
@option("-filter", help="Only those that match.", default="", metavar="EXPRESSION")
@option("-near", help="Sort by the distance to this node, or _agent.", default="", metavar="NODE")
@node_meta_flag
@option("-service", help="Only nodes with this service.", default="", metavar="NAME")
@api_flags
def command(
    client: Client, detailed: bool, filter: str, near: str, node_meta: list[str], service: str
) -> None:
    """List the nodes of the datacenter."""
    params = {"filter": filter or None, "near": near or None, "node-meta": node_meta or None}
    if service:
        with explained("Error listing nodes for service"):
            rows = client.get(f"/v1/catalog/service/{service}", **params).objects()
        nodes = [{**row, "Meta": row["NodeMeta"]} for row in rows]
    else:
        with explained("Error listing nodes"):
            nodes = client.get("/v1/catalog/nodes", **params).objects()
    if not nodes:
        print(_NONE, file=sys.stderr)
    elif detailed:
        print(table([_DETAILS, *map(_details, nodes)]))
    else:
        print(table([_HEAD, *map(_row, nodes)]))


_HEAD = ("Node", "ID", "Address", "DC")
_DETAILS = (*_HEAD, "TaggedAddresses", "Meta")


def _row(node: dict[str, Any]) -> tuple[str, ...]:
    return (node["Node"], node["ID"].partition("-")[0], node["Address"], node["Datacenter"])


def _details(node: dict[str, Any]) -> tuple[str, ...]:
    addresses, meta = joined_pairs(node["TaggedAddresses"]), joined_pairs(node["Meta"])
    return (node["Node"], node["ID"], node["Address"], node["Datacenter"], addresses, meta)

"""`fairlead catalog`: list what is registered."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="catalog",
    verbs={
        "datacenters": ("fairlead.cli.catalog.datacenters", "List the datacenters."),
        "nodes": ("fairlead.cli.catalog.nodes", "List nodes."),
        "services": ("fairlead.cli.catalog.services", "List services."),
    },
    help="List datacenters, nodes and services.",
    epilog="""\b
Examples:
  fairlead catalog nodes
  fairlead catalog nodes -service=web -near=_agent
  fairlead catalog services -tags""",
)

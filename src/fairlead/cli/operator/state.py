"""`fairlead operator autopilot state`."""

from __future__ import annotations

from typing import Any

from fairlead.cli.api import api_flags
from fairlead.cli.output import aligned, dump_json, explained
from fairlead.cli.verbs import option, verb
from fairlead.client import Client

__all__ = ["command"]

_FIELDS = ("Address", "Version", "SerfStatus", "Leader", "Voter", "Healthy", "StableSince")


@verb(
    "state",
    examples="fairlead operator autopilot state\nfairlead operator autopilot state -format=json",
)
@option("-format", help="pretty or json.", default="pretty", metavar="FORMAT")
@api_flags
def command(client: Client, format: str) -> None:
    """Print how each server is, and how many may fail before the cluster does."""
    with explained("Error getting Autopilot state"):
        health = client.get("/v1/operator/autopilot/health").object()
    if format == "json":
        print(dump_json(health))
        return
    print(_told("Healthy", health["Healthy"]))
    print(_told("Failure Tolerance", health["FailureTolerance"]))
    for server in health["Servers"] or ():
        print(f"\n{server['Name']} ({server['ID']})")
        print(aligned([(f"  {name}", _text(server.get(name))) for name in _FIELDS]))


def _told(name: str, value: Any) -> str:
    return aligned([(name, _text(value))], 20)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

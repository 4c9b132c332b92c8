"""`fairlead operator autopilot state`."""

from __future__ import annotations

from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import aligned, dump_json, explained
from fairlead.cli.verbs import option, verb
from fairlead.client import Client

__all__ = ["command"]

_FIELDS = (
    "Address",
    "Version",
    "SerfStatus",
    "Leader",
    "Voter",
    "Healthy",
    "LastContact",
    "LastIndex",
    "StableSince",
)
_PATH = "/v1/operator/autopilot/health"
_NOT_WELL = 429
_NOT_WELL_EXIT = 2


@verb(
    "state",
    examples="fairlead operator autopilot state\nfairlead operator autopilot health -format=json",
)
@option("-format", help="pretty or json.", default="pretty", metavar="FORMAT")
@api_flags
def command(client: Client, format: str) -> int:
    """Print how each server is, and how many may be lost before nobody can write.

    Exits with 2 when one of them is not well.
    """
    if format not in ("pretty", "json"):
        text = f'-format is "pretty" or "json", not "{format}"'
        raise click.UsageError(text, click.get_current_context())
    with explained("Error getting Autopilot state"):
        reply = client.exchange("GET", _PATH)
        if reply.status not in (200, _NOT_WELL):
            reply = client.get(_PATH)
        health = reply.object()
    if format == "json":
        print(dump_json(health))
    else:
        _show(health)
    return 0 if health["Healthy"] else _NOT_WELL_EXIT


def _show(health: dict[str, Any]) -> None:
    print(_told("Healthy", health["Healthy"]))
    print(_told("Failure Tolerance", health["FailureTolerance"]))
    for server in health["Servers"] or ():
        print(f"\n{server['Name']} ({server['ID']})")
        print(aligned([(f"  {name}", _text(server.get(name))) for name in _FIELDS]))


def _told(name: str, value: Any) -> str:
    return aligned([(name, _text(value))], 20)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""`fairlead maint`."""

from __future__ import annotations

from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client
from fairlead.errors import InvalidError

__all__ = ["command"]

_NODE = "_node_maintenance"
_SERVICE = "_service_maintenance:"


@verb(
    "maint",
    examples="""
fairlead maint -enable -reason="new disks"
fairlead maint -enable -service=web1
fairlead maint
fairlead maint -disable
""",
)
@switch("-enable", help="Begin it.")
@switch("-disable", help="End it.")
@option("-reason", help="Why, for whoever wonders.", default="", metavar="TEXT")
@option("-service", help="Only this service of the agent.", default="", metavar="ID")
@api_flags
def command(client: Client, enable: bool, disable: bool, reason: str, service: str) -> None:
    """Take a node or one of its services out of what others find; without flags, list what is out.

    It is a critical check, which stays until it is taken back.
    """
    if fault := _fault(enable, disable, reason, service):
        raise click.UsageError(fault, click.get_current_context())
    if not (enable or disable):
        _list(client)
        return
    what = f"{'enabling' if enable else 'disabling'} {'service' if service else 'node'} maintenance"
    path = f"/v1/agent/service/maintenance/{service}" if service else "/v1/agent/maintenance"
    with explained(f"Error {what}"):
        reply = client.put(path, enable=str(enable).lower(), reason=reason if enable else None)
        if reply.status == 404:
            text = reply.body.decode("utf-8", "replace")
            raise InvalidError(f"Unexpected response code: 404 ({text})")
    done = "enabled" if enable else "disabled"
    if service:
        print(f'Service maintenance is now {done} for "{service}"')
    else:
        print(f"Node maintenance is now {done}")


def _fault(enable: bool, disable: bool, reason: str, service: str) -> str:
    """What is wrong with the flags."""
    if enable and disable:
        return "Only one of -enable or -disable may be provided"
    if reason and not enable:
        return "Reason may only be provided with -enable"
    if service and not (enable or disable):
        return "Service requires either -enable or -disable"
    return ""


def _list(client: Client) -> None:
    with explained("Error querying Consul agent"):
        node = client.get("/v1/agent/self").field("Config")["NodeName"]
    with explained("Error getting checks"):
        checks: dict[str, dict[str, Any]] = client.get("/v1/agent/checks").object()
    for check_id, check in sorted(checks.items()):
        if check_id == _NODE:
            print(f"Node:\n  Name:   {node}\n  Reason: {check['Notes']}\n")
        elif check_id.startswith(_SERVICE):
            print(f"Service:\n  ID:     {check['ServiceID']}\n  Reason: {check['Notes']}\n")

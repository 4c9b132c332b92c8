"""`fairlead event`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import option, verb
from fairlead.client import Client
from fairlead.core.patterns import compile_pattern
from fairlead.errors import InvalidError

__all__ = ["command"]


@verb(
    "event",
    examples="""
fairlead event -name=deploy v42
fairlead event -name=deploy -service=web -tag=blue v42
fairlead watch -type=event -name=deploy cat
""",
)
@option("-name", help="Name of the event.", default="", metavar="NAME")
@option("-node", help="Only for nodes whose name matches.", default="", metavar="REGEX")
@option("-service", help="Only for nodes with such a service.", default="", metavar="REGEX")
@option("-tag", help="With -service: with such a tag.", default="", metavar="REGEX")
@click.argument("payload", nargs=-1, type=click.UNPROCESSED, metavar="[PAYLOAD]")
@api_flags
def command(
    client: Client, payload: tuple[str, ...], name: str, node: str, service: str, tag: str
) -> None:
    """Fire an event; agents keep the last 256, and watches hand them to their commands."""
    filters = {"node": node, "service": service, "tag": tag}
    if fault := _fault(name, filters, payload):
        raise click.UsageError(fault, click.get_current_context())
    with explained("Error querying Consul agent"):
        client.get("/v1/agent/self")
    params = {key: pattern or None for key, pattern in filters.items()}
    body = payload[0].encode("utf-8", "surrogateescape") if payload else b""
    with explained("Error firing event"):
        fired = client.put(f"/v1/event/fire/{name}", body, **params).field("ID")
    print(f"Event ID: {fired}")


def _fault(name: str, filters: dict[str, str], payload: tuple[str, ...]) -> str:
    """What is wrong with the arguments."""
    if not name:
        return "Event name must be specified"
    for key, pattern in filters.items():
        try:
            compile_pattern(pattern)
        except InvalidError as error:
            return f"Failed to compile {key} filter regexp: {error}"
    if filters["tag"] and not filters["service"]:
        return "Cannot provide tag filter without service filter."
    return "Too many command line arguments." if len(payload) > 1 else ""

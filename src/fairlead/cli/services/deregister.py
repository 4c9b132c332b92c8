"""`fairlead services deregister`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.output import explained
from fairlead.cli.services.files import services_of
from fairlead.cli.verbs import complete_file, option, verb
from fairlead.client import Client

__all__ = ["command"]


@verb(
    "deregister",
    examples="fairlead services deregister web.json\nfairlead services deregister -id=web",
)
@option("-id", help="Id of one service.", default="", metavar="ID")
@click.argument(
    "files", nargs=-1, type=click.UNPROCESSED, metavar="[FILE…]", shell_complete=complete_file
)
@namespace_flag
@api_flags
def command(client: Client, files: tuple[str, ...], id: str) -> None:
    """Take back services of the agent: those that files define, or one by its id."""
    fault = ""
    if not files and not id:
        fault = "Service deregistration requires at least one argument or -id."
    elif files and id:
        fault = "Service deregistration requires arguments or -id, not both."
    if fault:
        raise click.UsageError(fault, click.get_current_context())
    services = services_of(files) if files else [{"ID": id}]
    for service in services:
        named = service.get("ID") or service.get("Name", "")
        with explained(f'Error deregistering service "{named}"'):
            client.put(f"/v1/agent/service/deregister/{named}")
        print(f"Deregistered service: {named}")

"""`fairlead force-leave`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import switch, verb
from fairlead.client import Client

__all__ = ["command"]


@verb("force-leave", examples="fairlead force-leave n2\nfairlead force-leave -prune n2")
@switch("-prune", help="Forget it at once, instead of after a while.")
@click.argument("nodes", nargs=-1, type=click.UNPROCESSED, metavar="NODE")
@api_flags
def command(client: Client, nodes: tuple[str, ...], prune: bool) -> None:
    """Count a member that failed as left; one that lives comes back by itself."""
    if len(nodes) != 1:
        raise click.UsageError(
            "A single node name must be specified to force leave.", click.get_current_context()
        )
    with explained("Error force leaving"):
        client.put(f"/v1/agent/force-leave/{nodes[0]}", prune="1" if prune else None)

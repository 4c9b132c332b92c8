"""`fairlead join`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import complain
from fairlead.cli.verbs import switch, verb
from fairlead.client import Client
from fairlead.errors import FairleadError

__all__ = ["command"]


@verb("join", examples="fairlead join 10.0.0.5\nfairlead join 10.0.0.5:8301 10.0.0.6")
@switch("-wan", help="Join the pool of servers of all datacenters.")
@click.argument("addresses", nargs=-1, type=click.UNPROCESSED, metavar="ADDRESS…")
@api_flags
def command(client: Client, addresses: tuple[str, ...], wan: bool) -> int:
    """Have the agent join the cluster that one of these addresses belongs to."""
    if not addresses:
        raise click.UsageError(
            "At least one address to join must be specified.", click.get_current_context()
        )
    joined = 0
    for address in addresses:
        try:
            client.put(f"/v1/agent/join/{address}", wan="1" if wan else None)
            joined += 1
        except FairleadError as error:
            complain(f"Error joining address '{address}': {error}", hint=error.hint)
    if not joined:
        complain("Failed to join any nodes.")
        return 1
    print(f"Successfully joined cluster by contacting {joined} nodes.")
    return 0

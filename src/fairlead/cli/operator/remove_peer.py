"""`fairlead operator raft remove-peer`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import option, verb
from fairlead.client import Client

__all__ = ["command"]


@verb("remove-peer", examples="fairlead operator raft remove-peer -address=10.0.0.5:8300")
@option("-address", help="Address of the server.", default="", metavar="HOST:PORT")
@option("-id", help="Its id instead.", default="", metavar="UUID")
@api_flags
def command(client: Client, address: str, id: str) -> None:
    """Remove a server that is gone for good."""
    fault = ""
    if not (address or id):
        fault = "an address or id is required for the peer to remove"
    elif address and id:
        fault = "cannot give both an address and id"
    if fault:
        raise click.UsageError(f"Error removing peer: {fault}", click.get_current_context())
    params = {"address": address} if address else {"id": id}
    with explained("Error removing peer"):
        client.request("DELETE", "/v1/operator/raft/peer", params)
    named = f'address "{address}"' if address else f'id "{id}"'
    print(f"Removed peer with {named}")

"""`fairlead leave`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb("leave", examples="fairlead leave")
@api_flags
def command(client: Client) -> None:
    """Have the agent leave its cluster, so that nobody misses it, and stop."""
    with explained("Error leaving"):
        client.put("/v1/agent/leave")
    print("Graceful leave complete")

"""`fairlead reload`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb("reload", examples="fairlead reload")
@api_flags
def command(client: Client) -> None:
    """Have the agent read its configuration again, as SIGHUP does; a faulty one is refused."""
    with explained("Error reloading"):
        client.put("/v1/agent/reload")
    print("Configuration reload triggered")

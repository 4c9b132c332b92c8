"""`fairlead catalog datacenters`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb("datacenters", examples="fairlead catalog datacenters")
@api_flags
def command(client: Client) -> None:
    """List the datacenters there are, one a line."""
    with explained("Error listing datacenters"):
        names = client.get("/v1/catalog/datacenters").names()
    for name in names:
        print(name)

"""`fairlead info`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb("info", examples="fairlead info\nfairlead info -http-addr=10.0.0.5:8500")
@api_flags
def command(client: Client) -> None:
    """Print what the agent says of itself, in sections."""
    with explained("Error querying agent"):
        stats = client.get("/v1/agent/self").field("Stats")
    for section in sorted(stats):
        print(f"{section}:")
        for name in sorted(stats[section]):
            print(f"\t{name} = {stats[section][name]}")

"""`fairlead operator raft list-peers`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained, table
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]

_HEAD = ("Node", "ID", "Address", "State", "Voter", "RaftProtocol")


@verb("list-peers", examples="fairlead operator raft list-peers")
@api_flags
def command(client: Client) -> None:
    """List the servers, and which of them leads."""
    with explained("Error getting peers: Failed to retrieve raft configuration"):
        servers = client.get("/v1/operator/raft/configuration").field("Servers")
    rows = [
        (
            server["Node"],
            server["ID"],
            server["Address"],
            "leader" if server["Leader"] else "follower",
            str(server["Voter"]).lower(),
            server["ProtocolVersion"] or "<=1",
        )
        for server in servers
    ]
    print(table([_HEAD, *rows]))

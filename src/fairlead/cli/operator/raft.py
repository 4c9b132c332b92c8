"""`fairlead operator raft`."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="raft",
    verbs={
        "list-peers": ("fairlead.cli.operator.list_peers", "List the servers."),
        "remove-peer": ("fairlead.cli.operator.remove_peer", "Remove a server."),
    },
    help="List and remove servers.",
    epilog="""\b
Examples:
  fairlead operator raft list-peers
  fairlead operator raft remove-peer -address=10.0.0.5:8300""",
)

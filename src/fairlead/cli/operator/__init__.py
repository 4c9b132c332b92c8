"""`fairlead operator`: look after the servers."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="operator",
    verbs={
        "autopilot": ("fairlead.cli.operator.autopilot", "How the servers are."),
        "migrate": ("fairlead.cli.operator.migrate", "Move the whole state somewhere else."),
        "raft": ("fairlead.cli.operator.raft", "List and remove servers."),
    },
    help="Look after the servers.",
    epilog="""\b
Examples:
  fairlead operator migrate /var/lib/fairlead http://10.0.0.1:8500
  fairlead operator raft list-peers
  fairlead operator autopilot state""",
)

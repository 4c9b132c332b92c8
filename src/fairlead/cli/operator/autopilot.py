"""`fairlead operator autopilot`."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="autopilot",
    verbs={
        "get-config": (
            "fairlead.cli.operator.get_config",
            "How the servers look after themselves.",
        ),
        "health": ("fairlead.cli.operator.state", "The same as state."),
        "set-config": ("fairlead.cli.operator.set_config", "Change that."),
        "state": ("fairlead.cli.operator.state", "How each server is."),
    },
    help="How the servers are, and look after themselves.",
    epilog="""\b
Examples:
  fairlead operator autopilot state
  fairlead operator autopilot set-config -cleanup-dead-servers=false""",
)

"""`fairlead operator autopilot`."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="autopilot",
    verbs={"state": ("fairlead.cli.operator.state", "How each server is.")},
    help="How the servers are.",
    epilog="""\b
Examples:
  fairlead operator autopilot state""",
)

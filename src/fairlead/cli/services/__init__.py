"""`fairlead services`: register services with an agent, and take them back."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="services",
    verbs={
        "deregister": ("fairlead.cli.services.deregister", "Take services back."),
        "register": ("fairlead.cli.services.register", "Register services."),
    },
    help="Register services with an agent, and take them back.",
    epilog="""\b
Examples:
  fairlead services register web.json
  fairlead services register -name=web -port=8080 -tag=blue
  fairlead services deregister -id=web""",
)

"""`fairlead monitor`."""

from __future__ import annotations

import sys

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained, write_bytes
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client

__all__ = ["command"]

_ENDED = """
Remote side ended the monitor! This usually means that the
remote side has exited or crashed."""


@verb(
    "monitor",
    examples="fairlead monitor\nfairlead monitor -log-level=debug\nfairlead monitor -log-json | jq",
)
@option("-log-level", help="TRACE, DEBUG, INFO, WARN or ERROR.", default="INFO", metavar="LEVEL")
@switch("-log-json", help="One JSON object a line.")
@api_flags
def command(client: Client, log_level: str, log_json: bool) -> int:
    """Print what the agent logs, until Ctrl-C, from whatever level on."""
    params = {"logjson": "true" if log_json else None, "loglevel": log_level}
    with explained(f"Error starting {'JSON ' if log_json else ''}monitor"):
        lines = client.lines("/v1/agent/monitor", **params)
    for line in lines:
        write_bytes(line)
        sys.stdout.flush()
    print(_ENDED)
    return 1

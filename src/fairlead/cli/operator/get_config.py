"""`fairlead operator autopilot get-config`."""

from __future__ import annotations

from typing import Any

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]

_FIELDS = (
    "CleanupDeadServers",
    "LastContactThreshold",
    "MaxTrailingLogs",
    "MinQuorum",
    "ServerStabilizationTime",
    "RedundancyZoneTag",
    "DisableUpgradeMigration",
    "UpgradeVersionTag",
)
_QUOTED = ("RedundancyZoneTag", "UpgradeVersionTag")


@verb("get-config", examples="fairlead operator autopilot get-config")
@api_flags
def command(client: Client) -> None:
    """Print how the servers look after themselves."""
    with explained("Error querying Autopilot configuration"):
        config = client.get("/v1/operator/autopilot/configuration").object()
    for name in _FIELDS:
        print(f"{name} = {_text(name, config.get(name))}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if name in _QUOTED else str(value)

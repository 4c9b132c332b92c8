"""`fairlead snapshot restore`."""

from __future__ import annotations

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.snapshot.files import file_argument, read_snapshot
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb("restore", examples="fairlead snapshot restore backup.snap")
@file_argument
@api_flags
def command(client: Client, file: str) -> None:
    """Replace the whole state of the agent by what FILE holds, all or nothing."""
    data = read_snapshot(file)
    with explained("Error restoring snapshot"):
        client.put("/v1/snapshot", data)
    print("Restored snapshot")

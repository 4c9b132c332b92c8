"""`fairlead snapshot inspect`."""

from __future__ import annotations

from fairlead.agent import archive
from fairlead.cli.output import aligned, explained
from fairlead.cli.snapshot.files import file_argument, read_snapshot
from fairlead.cli.verbs import verb

__all__ = ["command"]

_COLUMN = 13


@verb("inspect", examples="fairlead snapshot inspect backup.snap")
@file_argument
def command(file: str) -> None:
    """Verify FILE and print what it says of itself; no agent is asked."""
    data = read_snapshot(file)
    with explained("Error verifying snapshot"):
        meta = archive.inspect(data)
    pairs = [
        ("ID", meta.id),
        ("Size", meta.size),
        ("Index", meta.index),
        ("Term", meta.term),
        ("Version", meta.version),
    ]
    # Consul ends with an empty line.
    print(aligned(pairs, _COLUMN) + "\n")

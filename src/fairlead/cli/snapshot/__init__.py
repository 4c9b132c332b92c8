"""`fairlead snapshot`: save, restore and inspect the whole state."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="snapshot",
    verbs={
        "inspect": ("fairlead.cli.snapshot.inspect", "Verify a snapshot and say what it is."),
        "restore": ("fairlead.cli.snapshot.restore", "Replace the whole state by a snapshot."),
        "save": ("fairlead.cli.snapshot.save", "Save the whole state into a file."),
    },
    help="Save, restore and inspect the whole state.",
    epilog="""\b
Examples:
  fairlead snapshot save backup.snap
  fairlead snapshot inspect backup.snap
  fairlead snapshot restore backup.snap""",
)

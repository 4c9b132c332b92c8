"""`fairlead kv`: read and write keys."""

from __future__ import annotations

from fairlead.cli.verbs import Group

__all__ = ["command"]

command = Group(
    name="kv",
    verbs={
        "delete": ("fairlead.cli.kv.delete", "Delete a key, or all below a prefix."),
        "export": ("fairlead.cli.kv.export", "Print keys as JSON, for import."),
        "get": ("fairlead.cli.kv.get", "Print a key, a prefix, or the names below it."),
        "import": ("fairlead.cli.kv.import_", "Write keys from JSON that export printed."),
        "put": ("fairlead.cli.kv.put", "Write a key, take or release its lock."),
    },
    help="Read and write keys.",
    epilog="""\b
Examples:
  fairlead kv put web/key1 value1
  fairlead kv get web/key1
  fairlead kv get -recurse web/
  fairlead kv delete web/key1""",
)

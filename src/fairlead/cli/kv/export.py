"""`fairlead kv export`: files that `consul kv import` reads, and the other way round."""

from __future__ import annotations

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.keys import key_argument
from fairlead.cli.output import dump_json, explained
from fairlead.cli.verbs import verb
from fairlead.client import Client

__all__ = ["command"]


@verb(
    "export",
    examples="""
fairlead kv export > all.json
fairlead kv export web/ > web.json
fairlead kv import @web.json
""",
)
@key_argument("[PREFIX]")
@namespace_flag
@api_flags
def command(client: Client, key: str) -> None:
    """Print every key that begins with PREFIX as JSON, values in base64."""
    with explained("Error querying Consul agent"):
        rows = client.get(f"/v1/kv/{key}", recurse="").rows()
    entries = [
        {"key": row["Key"], "flags": row["Flags"], "value": row["Value"] or ""} for row in rows
    ]
    print(dump_json(entries, indent="\t"))

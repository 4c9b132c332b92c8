"""`fairlead kv get`."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

import click

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.keys import key_argument
from fairlead.cli.output import aligned, explained, write_bytes
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client
from fairlead.errors import FairleadError

__all__ = ["command"]

_COLUMN = 17


@verb(
    "get",
    examples="""
fairlead kv get web/key1
fairlead kv get -detailed web/key1
fairlead kv get -recurse web/
fairlead kv get -keys -separator="" web/
""",
)
@switch("-base64", help="Print values in base64.")
@switch("-detailed", help="Print indexes, flags and session too.")
@switch("-keys", help="Print the names below the prefix instead of values.")
@switch("-recurse", help="Print all keys below the prefix.")
@option("-separator", default="/", help="With -keys, cut names after this.", show_default=True)
@key_argument("[KEY]")
@namespace_flag
@api_flags
def command(
    client: Client,
    key: str,
    base64: bool,
    detailed: bool,
    keys: bool,
    recurse: bool,
    separator: str,
) -> None:
    """Print the value of KEY, or what is below a prefix."""
    if not key and not (keys or recurse):
        raise click.UsageError("Error! Missing KEY argument", click.get_current_context())
    with explained("Error querying Consul agent"):
        if keys:
            names = client.get(f"/v1/kv/{key}", keys="", separator=separator).names()
        else:
            rows = client.get(f"/v1/kv/{key}", recurse="" if recurse else None).rows()
    if keys:
        for name in names:
            print(name)
        return
    if not rows and not recurse:
        raise FairleadError(f"Error! No key exists at: {key}")
    for position, row in enumerate(rows):
        if detailed and position:
            print()
        _print(row, base64, detailed, recurse)


def _print(row: dict[str, Any], encoded: bool, detailed: bool, recurse: bool) -> None:
    """One row; values are bytes, which need not be text."""
    value = (row["Value"] or "").encode()
    if not encoded:
        value = b64decode(value)
    if detailed:
        value = _details(row).encode() + (b" " * (_COLUMN - 5) + value if value else b"")
    elif recurse:
        value = row["Key"].encode() + b":" + value
    write_bytes(value + b"\n")


def _details(row: dict[str, Any]) -> str:
    """All but the value itself, whose column is there only if it has something to hold."""
    pairs = [
        ("CreateIndex", row["CreateIndex"]),
        ("Flags", row["Flags"]),
        ("Key", row["Key"]),
        ("LockIndex", row["LockIndex"]),
        ("ModifyIndex", row["ModifyIndex"]),
        ("Session", row.get("Session") or "-"),
    ]
    return aligned(pairs, _COLUMN) + "\nValue"

"""`fairlead kv delete`."""

from __future__ import annotations

import click

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.keys import key_argument, written_key
from fairlead.cli.output import explained
from fairlead.cli.verbs import UINT, option, switch, verb
from fairlead.client import Client
from fairlead.errors import FairleadError

__all__ = ["command"]


@verb(
    "delete",
    examples="""
fairlead kv delete web/key1
fairlead kv delete -recurse web/
fairlead kv delete -cas -modify-index=97 web/key1
""",
)
@switch("-cas", help="Delete only if the key stands at -modify-index.")
@option("-modify-index", help="Index the key must stand at.", default=0, type=UINT, metavar="N")
@switch("-recurse", help="Delete every key that begins so.")
@key_argument("KEY")
@namespace_flag
@api_flags
def command(client: Client, key: str, cas: bool, modify_index: int, recurse: bool) -> None:
    """Delete KEY, or every key below a prefix. A key that is not there counts as deleted."""
    _check(key, cas, modify_index, recurse)
    if recurse:
        with explained(f"Error! Did not delete prefix {key}"):
            client.delete(f"/v1/kv/{written_key(key)}", recurse="")
        print(f"Success! Deleted keys with prefix: {key}")
        return
    failed = f"Error! Did not delete key {key}" if cas else f"Error deleting key {key}"
    with explained(failed):
        reply = client.delete(f"/v1/kv/{written_key(key)}", cas=modify_index if cas else None)
    if reply.json() is not True:
        raise FairleadError(f"{failed}: CAS failed")
    print(f"Success! Deleted key: {key}")


def _check(key: str, cas: bool, modify_index: int, recurse: bool) -> None:
    """Raises: click.UsageError when the arguments cannot be meant."""
    fault = ""
    if not key and not recurse:
        fault = "Error! Missing KEY argument"
    elif modify_index and not cas:
        fault = "Cannot specify -modify-index without -cas!"
    elif cas and not modify_index:
        fault = "Must specify -modify-index with -cas!"
    elif cas and recurse:
        fault = "Cannot specify both -cas and -recurse!"
    if fault:
        raise click.UsageError(fault, click.get_current_context())

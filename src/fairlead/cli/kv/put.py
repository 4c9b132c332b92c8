"""`fairlead kv put`."""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from fairlead.b64 import decode_base64
from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.data import read_data
from fairlead.cli.keys import complete_first_key, written_key
from fairlead.cli.output import explained
from fairlead.cli.verbs import UINT, option, switch, verb
from fairlead.client import Client
from fairlead.errors import FairleadError

__all__ = ["command"]


@verb(
    "put",
    examples="""
fairlead kv put web/key1 value1
fairlead kv put web/config @config.json         the content of a file
echo value1 | fairlead kv put web/key1 -        what comes on stdin
fairlead kv put -cas -modify-index=97 web/key1 value2
fairlead kv put -acquire -session=<id> web/leader node1
""",
)
@switch("-acquire", help="Take the lock of the key for -session.")
@switch("-base64", help="DATA is base64: write what it decodes to.")
@switch("-cas", help="Write only if the key stands at -modify-index (0: only if it is new).")
@option("-flags", help="Number to keep beside the value.", default=0, type=UINT, metavar="N")
@option("-modify-index", help="Index the key must stand at.", type=UINT, metavar="N")
@switch("-release", help="Let go of the lock that -session holds on the key.")
@option("-session", help="Session of the lock.", default="", metavar="ID")
@click.argument(
    "args",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="KEY [DATA]",
    shell_complete=complete_first_key,
)
@namespace_flag
@api_flags
def command(
    client: Client,
    args: tuple[str, ...],
    acquire: bool,
    base64: bool,
    cas: bool,
    flags: int,
    modify_index: int | None,
    release: bool,
    session: str,
) -> None:
    """Write DATA to KEY. DATA `@file` is a file's content, `-` what comes on stdin."""
    _check(args, lock=acquire or release, session=session, cas=cas, modify_index=modify_index)
    key, value = args[0], read_data(args[1]) if len(args) == 2 else b""
    if base64:
        with explained("Error! Cannot base 64 decode data"):
            value = decode_base64(value)
    write = _plan(key, session, modify_index, acquire=acquire, cas=cas, release=release)
    with explained(write.failed):
        path = f"/v1/kv/{written_key(key)}"
        written = client.put(path, value, flags=flags or None, **write.condition).json() is True
    if not written:
        raise FairleadError(write.refused)
    print(f"Success! {write.done}")


class _Write(NamedTuple):
    """On which condition to write, and what to say: done, refused by the condition, failed."""

    condition: dict[str, Any]
    done: str
    refused: str
    failed: str = "Error! Failed writing data"


def _plan(
    key: str, session: str, modify_index: int | None, *, acquire: bool, cas: bool, release: bool
) -> _Write:
    """Of several conditions the first counts, as in Consul."""
    if cas:
        failed = f"Error! Did not write to {key}"
        done = f"Data written to: {key}"
        return _Write({"cas": modify_index}, done, f"{failed}: CAS failed", failed)
    if acquire:
        return _Write(
            {"acquire": session}, f"Lock acquired on: {key}", "Error! Did not acquire lock"
        )
    if release:
        return _Write(
            {"release": session}, f"Lock released on: {key}", "Error! Did not release lock"
        )
    return _Write({}, f"Data written to: {key}", f"Error! Did not write to {key}")


def _check(
    args: tuple[str, ...], *, lock: bool, session: str, cas: bool, modify_index: int | None
) -> None:
    """Raises: click.UsageError when the arguments cannot be meant."""
    fault = ""
    if not args:
        fault = "Error! Missing KEY argument"
    elif len(args) > 2:
        fault = f"Error! Too many arguments (expected 1 or 2, got {len(args)})"
    elif lock and not session:
        fault = "Error! Missing -session (required with -acquire and -release)"
    elif cas and modify_index is None:
        fault = "Must specify -modify-index with -cas!"
    if fault:
        raise click.UsageError(fault, click.get_current_context())

"""`fairlead kv import`: writes what `kv export`, or `consul kv export`, printed."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import click

from fairlead.b64 import decode_base64
from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.data import read_data
from fairlead.cli.keys import written_key
from fairlead.cli.output import explained
from fairlead.cli.verbs import option, verb
from fairlead.client import Client
from fairlead.errors import FairleadError, InvalidError

__all__ = ["command"]

_MAX_FLAGS = 2**64 - 1


@verb(
    "import",
    examples="""
fairlead kv import @web.json
fairlead kv export web/ | fairlead kv import -
consul kv export | fairlead kv import -
fairlead kv import -prefix=copy/ @web.json
""",
)
@option("-prefix", help="Put this before every key.", default="", metavar="TEXT")
@click.argument("args", nargs=-1, type=click.UNPROCESSED, metavar="DATA")
@namespace_flag
@api_flags
def command(client: Client, args: tuple[str, ...], prefix: str) -> None:
    """Write keys from DATA: `@file`, `-` for stdin, or the JSON itself.

    All of it is checked before the first key is written.
    """
    fault = ""
    if not args:
        fault = "Error! Missing DATA argument"
    elif len(args) > 1:
        fault = f"Error! Too many arguments (expected 1, got {len(args)})"
    elif not args[0]:
        fault = "Error! Empty DATA argument"
    if fault:
        raise click.UsageError(fault, click.get_current_context())
    for entry in _entries(read_data(args[0]), prefix):
        failed = f"Error! Failed writing data for key {entry.key}"
        with explained(failed):
            reply = client.put(f"/v1/kv/{entry.key}", entry.value, flags=entry.flags or None)
        if reply.json() is not True:
            raise FairleadError(failed)
        print(f"Imported: {entry.key}")


class _Entry(NamedTuple):
    key: str
    flags: int
    value: bytes


def _entries(data: bytes, prefix: str) -> list[_Entry]:
    """Every key to write.

    Raises:
        InvalidError: any of it cannot be written; all faults are named.
    """
    with explained("Cannot unmarshal data"):
        try:
            items = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InvalidError(str(error)) from error
        if not isinstance(items, list | None):
            raise InvalidError("it must be a list of keys, as export prints it")
    entries, faults = [], []
    for position, item in enumerate(items or [], 1):
        try:
            entries.append(_entry(item, position, prefix))
        except FairleadError as error:
            faults.append(str(error))
    if faults:
        raise InvalidError("\n".join(faults))
    return entries


def _entry(item: Any, position: int, prefix: str) -> _Entry:
    """Names match in any case, as Consul's do; what is absent is empty."""
    if not isinstance(item, dict):
        raise InvalidError(f"Cannot unmarshal data: entry {position} is no object")
    fields = {name.lower(): value for name, value in item.items() if value is not None}
    key, flags, value = fields.get("key", ""), fields.get("flags", 0), fields.get("value", "")
    if not isinstance(key, str) or not isinstance(value, str):
        what = "key" if not isinstance(key, str) else "value"
        raise InvalidError(f"Cannot unmarshal data: the {what} of entry {position} is no string")
    if type(flags) is not int or not 0 <= flags <= _MAX_FLAGS:
        raise InvalidError(f"Cannot unmarshal data: the flags of entry {position} are no uint64")
    if not key:
        raise InvalidError(f"Cannot unmarshal data: entry {position} has no key")
    # Half of a surrogate pair stands for no character; Go puts the same one in its place.
    name = prefix + key.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    with explained(f"Error! Failed writing data for key {name}"):
        written_key(name)
    with explained(f"Error base 64 decoding value for key {name}"):
        return _Entry(name, flags, decode_base64(value.encode("utf-8", "replace")))

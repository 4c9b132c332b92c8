"""`fairlead watch`: print a value, or run a command now and whenever it changes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from fairlead.cli.api import api_flags
from fairlead.cli.children import Child, failure
from fairlead.cli.keys import complete_key, read_key
from fairlead.cli.output import complain, dump_json, explained
from fairlead.cli.signals import Interrupted, Interrupts
from fairlead.cli.verbs import complete_file, option, switch, verb
from fairlead.client import Client, Reply
from fairlead.errors import FairleadError

__all__ = ["command"]

_RETRY_S = 5.0
_RETRY_MAX_S = 180.0
_OTHERS = "Of watches this version does not have"
# What can be watched, and the flag that names it.
_ALLOWED = {"key": "key", "keyprefix": "prefix"}


@verb(
    "watch",
    examples="""
fairlead watch -type=key -key=web/key1
fairlead watch -type=key -key=web/key1 ./on-change.sh
fairlead watch -type=keyprefix -prefix=web/ -shell=false cat
""",
    runs_command=True,
)
@option(
    "-type",
    help="What to watch: key or keyprefix.",
    default="",
    metavar="TYPE",
    shell_complete=lambda ctx, param, incomplete: [
        kind for kind in _ALLOWED if kind.startswith(incomplete)
    ],
)
@option("-key", help="With -type=key.", default="", metavar="KEY", shell_complete=complete_key)
@option(
    "-prefix", help="With -type=keyprefix.", default="", metavar="KEY", shell_complete=complete_key
)
@switch("-shell", help="Run the command by $SHELL -c; =false runs it as it is.", default=True)
@option("-name", help="Name of events.", section=_OTHERS)
@option("-passingonly", help="Only healthy instances.", section=_OTHERS)
@option("-service", help="Name of a service.", section=_OTHERS)
@option("-state", help="State of checks.", section=_OTHERS)
@option("-tag", help="Tag of a service.", multiple=True, section=_OTHERS)
@click.argument(
    "args",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="[COMMAND...]",
    shell_complete=complete_file,
)
@api_flags
def command(client: Client, args: tuple[str, ...], shell: bool, **given: Any) -> int:
    """Print what is watched as JSON; or, with a COMMAND, run it now and at every change.

    The command gets the JSON on stdin and the index in CONSUL_INDEX. The watch
    ends with it when it fails.
    """
    watched = _watched(given)
    with explained("Error querying Consul agent"):
        client.get("/v1/agent/self")
        if not args:
            print(dump_json(watched.shape(watched.fetch(client, 0))))
            return 0
    with Interrupts() as interrupts:
        return _follow(client, watched, _Handler(args, shell, interrupts))


class _Watched(NamedTuple):
    """How to read what is watched, and what to make of the answer."""

    fetch: Callable[[Client, int], Reply]
    shape: Callable[[Reply], Any]


def _watched(given: dict[str, Any]) -> _Watched:
    """Raises: click.UsageError when the flags name nothing that can be watched."""
    kind = given["type"]
    extra = [
        name for name, value in given.items() if value and name not in ("type", _ALLOWED.get(kind))
    ]
    fault = ""
    if not kind:
        fault = "Watch type must be specified"
    elif kind not in _ALLOWED:
        fault = f"Unsupported watch type: {kind}"
    elif not given[_ALLOWED[kind]]:
        fault = f"Must specify a single {_ALLOWED[kind]} to watch"
    elif extra:
        fault = f"Invalid parameters: [{' '.join(sorted(extra))}]"
    if fault:
        raise click.UsageError(fault, click.get_current_context())
    path = f"/v1/kv/{read_key(given[_ALLOWED[kind]])}"
    if kind == "key":
        return _Watched(lambda client, index: client.get(path, index=index or None), _one)
    return _Watched(lambda client, index: client.get(path, recurse="", index=index or None), _all)


def _one(reply: Reply) -> Any:
    rows = reply.rows()
    return _pair(rows[0]) if rows else None


def _all(reply: Reply) -> Any:
    return [_pair(row) for row in reply.rows()] or None


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the names in the order in which Consul's Go client prints them."""
    names = ("Key", "CreateIndex", "ModifyIndex", "LockIndex", "Flags", "Value")
    return {**{name: row[name] for name in names}, "Session": row.get("Session", "")}


class _Handler(NamedTuple):
    """The command to run at every change."""

    args: tuple[str, ...]
    shell: bool
    interrupts: Interrupts

    def run(self, value: Any, index: int) -> int:
        """Run it once, with the value on its stdin; its exit code."""
        sys.stdout.flush()
        env = {"CONSUL_INDEX": str(index)}
        child = Child(self.args, shell=self.shell, env=env, stdin=subprocess.PIPE)
        try:
            with self.interrupts.at_once():
                return child.feed(dump_json(value, indent=None).encode() + b"\n")
        except Interrupted:
            child.end()
            raise


def _follow(client: Client, watched: _Watched, handler: _Handler) -> int:
    """Run the command at every change, until it fails."""
    index, failures = 0, 0
    last: list[Any] = []
    while True:
        with handler.interrupts.at_once():
            try:
                reply = watched.fetch(client, index)
                value = watched.shape(reply)
            except FairleadError as error:
                failures += 1
                # An agent that comes back may know less: asked with our index it would not answer.
                index = 0
                pause_s = min(_RETRY_S * failures**2, _RETRY_MAX_S)
                complain(f"watch failed, trying again in {pause_s:.0f}s: {error}")
                time.sleep(pause_s)
                continue
        failures = 0
        index = reply.next_index(index)
        if last == [value]:
            continue
        last = [value]
        code = handler.run(value, reply.index)
        if code:
            complain(f"Error executing handler: {failure(code)}")
            return 1

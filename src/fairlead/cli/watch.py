"""`fairlead watch`: print what is watched, or run a command now and whenever it changes."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any, NamedTuple

import click

from fairlead.cli.api import api_flags
from fairlead.cli.children import Child, failure
from fairlead.cli.keys import complete_key
from fairlead.cli.output import complain, dump_json, explained
from fairlead.cli.signals import Interrupted, Interrupts
from fairlead.cli.syntax import parse_bool
from fairlead.cli.verbs import complete_file, option, switch, verb
from fairlead.client import Client, Reply
from fairlead.errors import FairleadError, InvalidError, UnavailableError
from fairlead.watch_plans import REFUSED, TYPES, Follower, Plan, plan_of

__all__ = ["command"]

_RETRY_S = 5.0
_RETRY_MAX_S = 180.0


@verb(
    "watch",
    examples="""
fairlead watch -type=key -key=web/key1 ./on-change.sh
fairlead watch -type=service -service=web -passingonly=true ./reload-proxy.sh
fairlead watch -type=checks -state=critical
fairlead watch -type=event -name=deploy -shell=false ./deploy
""",
    runs_command=True,
)
@option(
    "-type",
    help=f"What to watch: {', '.join(TYPES)}.",
    default="",
    metavar="TYPE",
    shell_complete=lambda ctx, param, incomplete: [
        kind for kind in TYPES if kind.startswith(incomplete)
    ],
)
@option("-key", help="The key of type key.", default="", metavar="KEY", shell_complete=complete_key)
@option(
    "-prefix",
    help="The prefix of type keyprefix.",
    default="",
    metavar="KEY",
    shell_complete=complete_key,
)
@option(
    "-service",
    help="The service of type service, or of checks.",
    default="",
    metavar="NAME",
)
@option("-tag", help="With type service: only with this tag.", multiple=True, metavar="TAG")
@option(
    "-passingonly",
    help="With type service: only what passes its checks.",
    default="",
    metavar="true|false",
)
@option(
    "-state",
    help="With type checks: any, passing, warning or critical.",
    default="",
    metavar="STATE",
)
@option("-name", help="With type event: only events of this name.", default="", metavar="NAME")
@switch("-shell", help="Run the command by $SHELL -c; =false runs it as it is.", default=True)
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
    plan = _plan(given)
    follower = Follower(plan)
    with explained("Error querying Consul agent"):
        client.get("/v1/agent/self")
        if not args:
            reply = _fetch(client, plan, follower)
            print(dump_json(_news(follower, plan, reply)[1]))
            return 0
    with Interrupts() as interrupts:
        return _follow(client, plan, follower, _Handler(args, shell, interrupts))


def _plan(given: dict[str, Any]) -> Plan:
    """Raises: click.UsageError when the flags name nothing that can be watched."""
    kind = given["type"]
    params = {name: value for name, value in given.items() if value}
    try:
        if "passingonly" in params:
            params["passingonly"] = _passing_only(params["passingonly"])
        if kind in REFUSED and len(params) == 1:
            raise InvalidError(f"Type {kind} is not supported in the CLI tool")
        return plan_of(params)
    except InvalidError as error:
        raise click.UsageError(str(error), click.get_current_context()) from error


def _passing_only(text: str) -> bool:
    try:
        return parse_bool(text)
    except InvalidError as error:
        raise InvalidError(
            f'Failed to parse passingonly flag: strconv.ParseBool: parsing "{text}": invalid syntax'
        ) from error


def _fetch(client: Client, plan: Plan, follower: Follower) -> Reply:
    return client.get(plan.path, **follower.params)


def _news(follower: Follower, plan: Plan, reply: Reply) -> tuple[bool, Any]:
    """Raises: UnavailableError when the answer is not what an agent answers."""
    if plan.kind in ("key", "keyprefix"):
        return follower.take(reply.index, reply.rows())
    answer = reply.json() if reply.status != 404 else None
    expected = dict if plan.kind == "services" else list
    if not isinstance(answer, expected):
        raise UnavailableError("the answer is not what an agent answers")
    try:
        return follower.take(reply.index, answer)
    except (LookupError, TypeError, AttributeError) as error:
        raise UnavailableError("the answer is not what an agent answers") from error


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


def _follow(client: Client, plan: Plan, follower: Follower, handler: _Handler) -> int:
    """Run the command at every change, until it fails."""
    failures = 0
    while True:
        with handler.interrupts.at_once():
            try:
                reply = _fetch(client, plan, follower)
                is_news, value = _news(follower, plan, reply)
            except FairleadError as error:
                failures += 1
                # An agent that comes back may know less: asked with our index it would not answer.
                follower.forget_index()
                pause_s = min(_RETRY_S * failures**2, _RETRY_MAX_S)
                complain(f"watch failed, trying again in {pause_s:.0f}s: {error}")
                time.sleep(pause_s)
                continue
        failures = 0
        if not is_news:
            continue
        code = handler.run(value, reply.index)
        if code:
            complain(f"Error executing handler: {failure(code)}")
            return 1

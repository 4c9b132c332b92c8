"""`fairlead lock`: run a command while holding a lock, or a place of a semaphore."""

from __future__ import annotations

import contextlib
import posixpath
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from fairlead.cli.api import api_flags
from fairlead.cli.children import GRACE_S, Child, failure
from fairlead.cli.keys import complete_first_key
from fairlead.cli.output import complain, explained
from fairlead.cli.signals import Interrupted, Interrupts
from fairlead.cli.verbs import DURATION, INT, option, switch, verb
from fairlead.client import Client
from fairlead.durations import SECOND_NS
from fairlead.errors import FairleadError, InvalidError
from fairlead.locks import Holding, Lock, Semaphore

__all__ = ["command"]

_POLL_S = 0.02
_CHILD_FAILED = 2


@verb(
    "lock",
    examples="""
fairlead lock service/leader ./run-as-leader.sh
fairlead lock -n 3 -name batch service/batch ./one-of-three.sh
fairlead lock -timeout=10s deploy/web ./deploy.sh       give up after ten seconds
""",
    runs_command=True,
)
@switch("-child-exit-code", help="Exit with 2 if the command fails, instead of 0.")
@option(
    "-monitor-retry", help="Retries when the agent fails.", default=3, type=INT, show_default=True
)
@option("-n", help="How many may hold it at once.", default=1, type=INT, show_default=True)
@option("-name", help="Name of the session.", default="", metavar="TEXT")
@switch("-pass-stdin", help="Give the command our stdin.")
@switch("-shell", help="Run the command by $SHELL -c; =false runs it as it is.", default=True)
@option(
    "-timeout", help="How long to wait for the lock; forever by default.", default=0, type=DURATION
)
@option("-try", help="The old name of -timeout.", default=0, type=DURATION)
@switch("-verbose", help="Say what is being done.")
@click.argument(
    "args",
    nargs=-1,
    type=click.UNPROCESSED,
    metavar="PREFIX COMMAND...",
    shell_complete=complete_first_key,
)
@api_flags
def command(client: Client, args: tuple[str, ...], verbose: bool, **given: Any) -> int:
    """Run COMMAND while holding the lock PREFIX/.lock, and let go of it afterwards.

    The command is ended should the lock be lost. CONSUL_LOCK_HELD=true tells it
    that it holds one.
    """
    _check(args, given)
    prefix = posixpath.normpath("/" + args[0]).lstrip("/")
    title = (
        given["name"] or f"Consul lock for '{' '.join(args[1:])}' at '{args[0].removeprefix('/')}'"
    )
    task = _Task(args[1:], given["shell"], given["pass_stdin"], _say if verbose else _keep_quiet)
    with explained("Error querying Consul agent"):
        client.get("/v1/agent/self")
    limit = given["n"]
    holding = Holding(client, title, given["monitor_retry"])
    lock: Lock | Semaphore
    if limit == 1:
        lock = Lock(holding, posixpath.join(prefix, ".lock"))
        task.say(f"Setting up lock at path: {lock.key}")
    else:
        lock = Semaphore(holding, prefix, limit)
        task.say(f"Setting up semaphore (limit {limit}) at prefix: {prefix}")
    with Interrupts() as interrupts:
        code = _hold(lock, holding, task, given["try"] or given["timeout"], interrupts)
    return _CHILD_FAILED if code and given["child_exit_code"] else 0


def _check(args: tuple[str, ...], given: dict[str, Any]) -> None:
    """Raises: click.UsageError when the arguments cannot be meant."""
    fault = ""
    if len(args) < 2:
        fault = "Key prefix and child command must be specified"
    elif given["n"] <= 0:
        fault = "Lock holder limit must be positive"
    elif given["timeout"] < 0 or given["try"] < 0:
        fault = "Timeout must be positive"
    elif given["monitor_retry"] < 0:
        fault = "Number for 'monitor-retry' must be >= 0"
    if fault:
        raise click.UsageError(fault, click.get_current_context())


class _Task(NamedTuple):
    """What to run once the lock is held."""

    args: tuple[str, ...]
    shell: bool
    pass_stdin: bool
    say: Callable[[str], None]


def _hold(
    lock: Lock | Semaphore,
    holding: Holding,
    task: _Task,
    timeout_ns: int,
    interrupts: Interrupts,
) -> int:
    """Wait for the lock, run the command, clean up whatever happens; the command's exit code."""
    task.say("Attempting lock acquisition")
    deadline = time.monotonic() + timeout_ns / SECOND_NS if timeout_ns else None
    held = False
    try:
        with explained("Lock acquisition failed"):
            holding.open(lock.behavior)
            with interrupts.at_once():
                held = lock.acquire(deadline)
        if not held:
            raise FairleadError("Shutdown triggered or timeout during lock acquisition")
        code = _run(holding, task, interrupts)
    except BaseException:
        # What went wrong first is what matters; a session that cannot be ended ends by its TTL.
        with contextlib.suppress(FairleadError):
            _clean_up(lock, holding, task, held=held)
        raise
    _clean_up(lock, holding, task, held=held)
    return code


def _clean_up(lock: Lock | Semaphore, holding: Holding, task: _Task, *, held: bool) -> None:
    with explained("Lock release failed"):
        lock.release()
        holding.close()
    if held:
        with explained("Lock cleanup failed"):
            task.say("Cleanup succeeded" if lock.destroy() else "Cleanup aborted, lock in use")


def _run(holding: Holding, task: _Task, interrupts: Interrupts) -> int:
    """The command's exit code; it is ended when the lock is lost or we are interrupted."""
    task.say("Starting handler")
    stdin = None if task.pass_stdin else subprocess.DEVNULL
    try:
        child = Child(task.args, shell=task.shell, env={"CONSUL_LOCK_HELD": "true"}, stdin=stdin)
    except InvalidError as error:
        complain(str(error))
        task.say("Child terminated, releasing lock")
        return 1
    try:
        with interrupts.at_once():
            while child.poll() is None:
                if holding.lost.wait(_POLL_S):
                    complain("Lock lost, killing child")
                    break
    except Interrupted:
        task.say("Shutdown triggered, killing child")
        _end(child, task)
        raise
    if child.poll() is None:
        _end(child, task)
    else:
        task.say("Child terminated, releasing lock")
    code = child.poll() or 0
    if code:
        complain(f"Error running handler: {failure(code)}")
    return code


def _end(child: Child, task: _Task) -> None:
    task.say(f"Terminating child pid {child.pid}")
    if child.end():
        task.say("Child terminated")
    else:
        task.say(f"Child did not exit after grace period of {GRACE_S:.0f}s, killed it")


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)


def _keep_quiet(text: str) -> None:
    pass

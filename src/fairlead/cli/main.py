"""`fairlead`: the table of verbs, and the one place where errors become exit codes."""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

import click

from fairlead.cli.output import complain
from fairlead.cli.signals import Interrupted, end_by
from fairlead.cli.verbs import Group
from fairlead.errors import FairleadError

__all__ = ["VERBS", "main"]

VERBS: dict[str, tuple[str, str]] = {
    "agent": ("fairlead.cli.agent", "Run an agent."),
    "catalog": ("fairlead.cli.catalog", "List datacenters, nodes and services."),
    "completion": ("fairlead.cli.completion", "Print what makes your shell complete fairlead."),
    "debug": ("fairlead.cli.debug", "Record what an agent does into an archive."),
    "event": ("fairlead.cli.event", "Fire an event."),
    "force-leave": ("fairlead.cli.force_leave", "Count a member as left."),
    "health": ("fairlead.cli.health", "What does not pass its checks, and why."),
    "info": ("fairlead.cli.info", "What an agent says of itself."),
    "join": ("fairlead.cli.join", "Have an agent join a cluster."),
    "keygen": ("fairlead.cli.keygen", "Make a key for agents to share."),
    "kv": ("fairlead.cli.kv", "Read and write keys."),
    "leave": ("fairlead.cli.leave", "Have an agent leave its cluster and stop."),
    "lock": ("fairlead.cli.lock", "Run a command while holding a lock."),
    "maint": ("fairlead.cli.maint", "Put a node or a service into maintenance."),
    "members": ("fairlead.cli.members", "List the members of the cluster."),
    "monitor": ("fairlead.cli.monitor", "Follow the log of an agent."),
    "operator": ("fairlead.cli.operator", "Look after the servers."),
    "reload": ("fairlead.cli.reload", "Have an agent read its configuration again."),
    "rtt": ("fairlead.cli.rtt", "Estimate the round trip between two nodes."),
    "services": ("fairlead.cli.services", "Register and deregister services."),
    "snapshot": ("fairlead.cli.snapshot", "Save, restore and inspect snapshots."),
    "validate": ("fairlead.cli.validate", "Check configuration files."),
    "version": ("fairlead.cli.version", "Print the version."),
    "watch": ("fairlead.cli.watch", "Print something, or run a command whenever it changes."),
}
# What scripts written for Consul may ask for in vain.
_ABSENT = frozenset("acl config connect exec intention keyring login logout tls".split())
_VERSION_FLAGS = ("-v", "-version", "--version")
_NO_SUCH_VERB = 127
_CTRL_C_EXIT = 130

command = Group(
    name="fairlead",
    verbs=VERBS,
    absent=_ABSENT,
    unknown_exit=_NO_SUCH_VERB,
    help="Find, configure and command services, on one registry.",
    epilog="""\b
Examples:
  fairlead agent -dev                    an agent that keeps nothing, to try things
  fairlead kv put web/key1 value1        write a key
  fairlead kv get web/key1               read it
  fairlead health                        what does not pass its checks, and why
  fairlead watch -type=key -key=web/key1 ./on-change.sh
The agent is found through -http-addr, FAIRLEAD_HTTP_ADDR or CONSUL_HTTP_ADDR.""",
)


def main() -> None:
    """Run the command line and exit."""
    name = "consul" if os.path.basename(sys.argv[0]) == "consul" else "fairlead"
    _prepare_streams()
    if f"_{name.upper()}_COMPLETE" in os.environ:
        # Shells ask through this module how they want to be answered.
        import_module("fairlead.cli.completion")
    try:
        code = _run(name)
        sys.stdout.flush()
    except Interrupted as interrupt:
        end_by(interrupt.number)
    except OSError as error:
        # Whoever read our output may have enough; a full disk is another matter.
        if not isinstance(error, BrokenPipeError):
            complain(f"cannot write the output: {(error.strerror or str(error)).lower()}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _run(name: str) -> int:
    """The exit code; errors are printed here, and only here."""
    try:
        code = command.main(_arguments(), prog_name=name, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        hint = f"See '{error.ctx.command_path} -help'." if error.ctx is not None else ""
        complain(error.format_message(), hint=hint)
    except click.ClickException as error:
        complain(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _CTRL_C_EXIT
    except FairleadError as error:
        complain(str(error), hint=error.hint)
        return error.exit_code
    return 1


def _arguments() -> list[str]:
    """Arguments as UTF-8, whatever the locale takes them for; any other bytes stay themselves."""
    args = [os.fsencode(arg).decode("utf-8", "surrogateescape") for arg in sys.argv[1:]]
    return ["version"] if args and args[0] in _VERSION_FLAGS else args


def _prepare_streams() -> None:
    """Print UTF-8, as keys are; a stream that was closed (`>&-`) swallows what it gets."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")

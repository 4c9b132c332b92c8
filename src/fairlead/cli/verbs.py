"""Verbs and groups of verbs: click's commands, whose arguments are read as Go reads them.

So scripts written for `consul` keep working: see `syntax`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from difflib import get_close_matches
from importlib import import_module
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from fairlead.cli import syntax
from fairlead.durations import parse_duration
from fairlead.errors import InvalidError

__all__ = [
    "DURATION",
    "HELP",
    "INT",
    "UINT",
    "Group",
    "Verb",
    "complete_file",
    "option",
    "parameter_name",
    "switch",
    "verb",
]

F = TypeVar("F", bound=Callable[..., Any])

HELP: dict[str, Any] = {"help_option_names": list(syntax.HELP_FLAGS), "max_content_width": 100}


def option(name: str, *, help: str, **more: Any) -> Callable[[F], F]:
    """A flag with a value, `-name VALUE`."""
    return click.option(name, f"-{name}", parameter_name(name), cls=Flag, help=help, **more)


def switch(name: str, *, help: str, default: bool | None = False, **more: Any) -> Callable[[F], F]:
    """A flag without a value, which also takes `=true` and `=false`."""
    return click.option(
        name,
        f"-{name}",
        parameter_name(name),
        cls=Flag,
        is_flag=True,
        default=default,
        help=help,
        **more,
    )


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of files, which the shell knows best."""
    return [CompletionItem(incomplete, type="file")]


def parameter_name(flag: str) -> str:
    """The name of the function's parameter that a flag sets."""
    return flag.lstrip("-").replace("-", "_")


def verb(
    name: str, *, examples: str = "", runs_command: bool = False
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function the verb `name`; `examples` end its help.

    What a verb runs as a command may be asked for its own help, so `-h` behind it is not ours.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        lines = (f"  {line}" for line in examples.strip().splitlines())
        command: Verb = click.command(
            name,
            cls=Verb,
            context_settings={**HELP, "allow_interspersed_args": False},
            epilog="\n".join(["\b", "Examples:", *lines]) if examples else None,
        )(function)
        command.runs_command = runs_command
        return command

    return decorate


class Flag(click.Option):
    """A flag, shown with one dash; `section` is the part of the help it stands in."""

    def __init__(self, *args: Any, section: str = "Options", **more: Any) -> None:
        super().__init__(*args, **more)
        self.section = section

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        record = super().get_help_record(ctx)
        return record and (record[0].partition(", ")[2].removeprefix("-"), record[1])

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().type_cast_value(ctx, value)
        except click.BadParameter as error:
            text = f'invalid value "{value}" for flag {self.opts[0]}: {error.message}'
            raise click.UsageError(text, ctx) from error


class Verb(click.Command):
    """A command with flags in Go's syntax."""

    runs_command = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = {
            name.lstrip("-"): parameter
            for parameter in self.params
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        if not self.runs_command and syntax.wants_help(args) and not ctx.resilient_parsing:
            args = ["-help"]
        switches = {"h", "help"} | {name for name, flag in flags.items() if flag.is_flag}
        try:
            parsed = syntax.parse(args, switches, flags.keys() - switches)
        except InvalidError as error:
            if not ctx.resilient_parsing:
                raise _usage_error(str(error), args, list(flags), ctx) from error
            parsed = syntax.Parsed([], [])
        given = [f"--{name}={value}" for name, value in parsed.flags if name not in switches]
        switched = {name: value for name, value in parsed.flags if name in switches}
        if switched.keys() & {"h", "help"}:
            given.insert(0, "--help")
        # Behind "--", click takes every argument as it is.
        rest = super().parse_args(ctx, [*given, "--", *parsed.rest])
        for name, text in switched.items():
            if name in flags and flags[name].name is not None:
                ctx.params[str(flags[name].name)] = _boolean(name, text, ctx)
        return rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Flags with one dash, unless two were typed."""
        items = super().shell_complete(ctx, incomplete)
        typed_two = incomplete.startswith("--")
        return [item for item in items if typed_two or not item.value.startswith("--")]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The flags in their sections, the verb's own first."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                sections.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def _usage_error(
    text: str, args: list[str], flags: list[str], ctx: click.Context
) -> click.UsageError:
    """The fault, and the flag that may have been meant."""
    unknown = text.rpartition(": -")[2] if "not defined" in text else ""
    near = get_close_matches(unknown, flags, 1) if unknown else []
    return click.UsageError(f"{text} (did you mean -{near[0]}?)" if near else text, ctx)


def _boolean(name: str, text: str, ctx: click.Context) -> bool:
    try:
        return syntax.parse_bool(text)
    except InvalidError as error:
        raise click.UsageError(
            f'invalid boolean value "{text}" for -{name}: {error}', ctx
        ) from error


# ---------------------------------------------------------------- types of values


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in new versions only
    """A value made of text by a function that raises InvalidError."""

    def __init__(self, name: str, parse: Callable[[str], int]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except InvalidError as error:
            self.fail(str(error), param, ctx)


INT = _Parsed("int", lambda text: syntax.parse_number(text, signed=True))
UINT = _Parsed("uint", lambda text: syntax.parse_number(text, signed=False))
DURATION = _Parsed("duration", parse_duration)


# ---------------------------------------------------------------- groups


class Group(click.Group):
    """Verbs by name, from a table of modules; a module is imported when its verb is used.

    `absent` are verbs that Consul has and this version has not.
    """

    def __init__(
        self,
        *,
        verbs: dict[str, tuple[str, str]],
        absent: Collection[str] = (),
        unknown_exit: int = 1,
        **more: Any,
    ) -> None:
        super().__init__(context_settings=HELP, no_args_is_help=False, options_metavar="", **more)
        self.verbs = verbs
        self._absent = absent
        self._unknown_exit = unknown_exit

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.verbs:
            return None
        module, _ = self.verbs[cmd_name]
        command: click.Command = import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in self.verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs that begin so, without importing any of them."""
        rows = ((name, about) for name, (_, about) in self.verbs.items())
        return [
            CompletionItem(name, help=about) for name, about in rows if name.startswith(incomplete)
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Print the help if that is asked for, and refuse what is no verb."""
        if not ctx.resilient_parsing and (
            not args or args[0] not in (*self.verbs, *syntax.HELP_FLAGS)
        ):
            self._refuse(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse(self, ctx: click.Context, args: list[str]) -> None:
        if args and args[0].startswith("-") and any(arg in self.verbs for arg in args):
            raise click.UsageError(f"flags go behind the command: {args[0]}", ctx)
        click.echo(ctx.get_help(), err=True)
        if args:
            near = get_close_matches(args[0], self.verbs, 1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            if args[0] in self._absent:
                hint = ": that of Consul is not in this version"
            click.echo(f'\nError: there is no command "{args[0]}"{hint}', err=True)
        ctx.exit(self._unknown_exit)

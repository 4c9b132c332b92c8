"""Key arguments: what every verb that takes a key does with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from fairlead.cli.api import client_of
from fairlead.cli.verbs import complete_file
from fairlead.errors import FairleadError, InvalidError

__all__ = [
    "complete_first_key",
    "complete_key",
    "key_argument",
    "one_argument",
    "read_key",
    "written_key",
]


def read_key(key: str) -> str:
    """A key or prefix to look for: no key begins with a slash, so one in front is not meant."""
    return key.removeprefix("/")


def written_key(key: str) -> str:
    """Raises: InvalidError for a key that no URL can name.

    >>> written_key("web/key1")
    'web/key1'
    """
    if key.startswith("/"):
        raise InvalidError(f"Invalid key. Key must not begin with a '/': {key}")
    parts = key.split("/")
    if "" in parts[:-1] or "." in parts or ".." in parts:
        raise InvalidError(
            f"Invalid key. Key must not hold '//', and no part of it be '.' or '..': {key}"
        )
    return key


def one_argument(args: tuple[str, ...]) -> str:
    """The argument, empty when there is none; Raises: click.UsageError for more than one."""
    if len(args) > 1:
        raise click.UsageError(
            f"Too many arguments (expected 1, got {len(args)})", click.get_current_context()
        )
    return args[0] if args else ""


def key_argument(metavar: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give the function `key`, empty when none was given, without a leading slash."""

    def clean(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str:
        return read_key(one_argument(values))

    return click.argument(
        "key",
        nargs=-1,
        type=click.UNPROCESSED,
        callback=clean,
        metavar=metavar,
        shell_complete=complete_first_key,
    )


def complete_key(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The keys of the agent that begin so, one level at a time; nothing without an agent."""
    try:
        reply = client_of(ctx.params).get(f"/v1/kv/{incomplete}", keys="", separator="/")
        return reply.names()
    except FairleadError:
        return []


def complete_first_key(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The same for the first of several arguments; what follows may be files."""
    if ctx.params.get(param.name or ""):
        return complete_file(ctx, param, incomplete)
    return [CompletionItem(key) for key in complete_key(ctx, param, incomplete)]

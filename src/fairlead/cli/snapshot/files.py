"""The FILE argument of every verb about snapshots."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fairlead.cli.data import open_fault, read_file
from fairlead.errors import InvalidError

__all__ = ["file_argument", "read_snapshot"]


def file_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function `file`; exactly one must be named."""

    def one(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> str:
        if not values and not ctx.resilient_parsing:
            raise click.UsageError("Missing FILE argument", ctx)
        if len(values) > 1:
            raise click.UsageError(f"Too many arguments (expected 1, got {len(values)})", ctx)
        return values[0] if values else ""

    argument = click.argument("file", nargs=-1, type=click.Path(), callback=one, metavar="FILE")
    return argument(function)


def read_snapshot(name: str) -> bytes:
    """Raises: InvalidError when it cannot be read."""
    try:
        return read_file(name)
    except OSError as error:
        raise InvalidError(f"Error opening snapshot file: {open_fault(name, error)}") from error

"""The flag `-node-meta`, which every verb about the catalog takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from fairlead.cli.pairs import pairs
from fairlead.cli.verbs import option

__all__ = ["node_meta_flag"]


def node_meta_flag(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function `node_meta`: what to ask with, as the API takes it."""

    def convert(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str]:
        return [f"{key}:{value}" for key, value in pairs("-node-meta", values).items()]

    return option(
        "-node-meta",
        help="Only nodes with this metadata.",
        multiple=True,
        metavar="KEY=VALUE",
        callback=convert,
    )(function)

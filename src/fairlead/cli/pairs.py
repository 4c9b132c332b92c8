"""Flags that may be given often, as `key=value`."""

from __future__ import annotations

from collections.abc import Iterable

import click

__all__ = ["pairs"]


def pairs(flag: str, values: Iterable[str]) -> dict[str, str]:
    """The values of a flag as a map; Raises: click.UsageError for one without `=`.

    >>> pairs("-meta", ("a=1", "b=2=3"))
    {'a': '1', 'b': '2=3'}
    """
    found = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals:
            fault = f'invalid value "{text}" for flag {flag}: Missing "=" value in argument: {text}'
            raise click.UsageError(fault, click.get_current_context(silent=True))
        found[key] = value
    return found

"""What verbs print: colour only on a terminal, errors to stderr, JSON as Consul prints it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from fairlead.errors import FairleadError

__all__ = [
    "aligned",
    "complain",
    "dump_json",
    "explained",
    "joined_pairs",
    "style",
    "table",
    "warn",
    "write_bytes",
]

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
# Go escapes these, so that its JSON can stand within HTML and JavaScript.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def write_bytes(data: bytes) -> None:
    """Print bytes that need not be text, all of them: without a buffer a write may stop early."""
    sys.stdout.flush()
    left = memoryview(data)
    while left:
        left = left[sys.stdout.buffer.write(left) :]


def style(text: str, colour: str, stream: IO[str]) -> str:
    """`text` in a colour, if `stream` is a terminal and nobody asked for none (NO_COLOR)."""
    if not stream.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return text
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def complain(message: str, *, hint: str = "") -> None:
    """An error and, if there is something to try, what."""
    text = message if message.startswith("Error") else f"Error: {message}"
    print(style(text, "red", sys.stderr), file=sys.stderr)
    if hint:
        print(f"  {hint}", file=sys.stderr)


def warn(message: str) -> None:
    """What is odd, but no error."""
    print(f"{style('warning', 'yellow', sys.stderr)}: {message}", file=sys.stderr)


@contextmanager
def explained(words: str) -> Iterator[None]:
    """Begin the errors that come from within by what failed because of them."""
    try:
        yield
    except FairleadError as error:
        raise FairleadError(f"{words}: {error}", hint=error.hint) from error


def aligned(pairs: list[tuple[str, Any]], width: int = 0) -> str:
    """Two columns: names padded to the longest and two spaces, or to `width`.

    >>> print(aligned([("Key", "web"), ("Session", "-")]))
    Key      web
    Session  -
    """
    width = width or max(len(name) for name, _ in pairs) + 2
    return "\n".join(f"{name:<{width}}{value}" for name, value in pairs)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be, two spaces apart; the last one is not padded.

    >>> print(table([("Node", "Address"), ("n1", "10.0.0.1")]))
    Node  Address
    n1    10.0.0.1
    """
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join(
            [*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]
        )
        for row in rows
    )


def joined_pairs(pairs: Mapping[str, str] | None, separator: str = ", ") -> str:
    """A map in one line, sorted.

    >>> joined_pairs({"b": "2", "a": "1"})
    'a=1, b=2'
    """
    return separator.join(f"{key}={value}" for key, value in sorted((pairs or {}).items()))


def dump_json(value: Any, *, indent: str | None = "    ") -> str:
    """JSON as Consul's command line prints it; in one line without an `indent`."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return text.translate(_ESCAPES)

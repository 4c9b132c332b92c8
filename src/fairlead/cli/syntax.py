"""Command lines as Go's `flag` package reads them, in its words.

One dash or two, `-name value` or `-name=value`; flags end at the first argument
that is none, so that data may begin with a dash. Source: the Go packages `flag`
and `strconv`.

Rule: nothing here knows a verb; text comes in, text or numbers go out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from fairlead.errors import InvalidError

__all__ = ["HELP_FLAGS", "Parsed", "parse", "parse_bool", "parse_number", "wants_help"]

HELP_FLAGS = ("-h", "-help", "--help")

_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|[1-9](_?[0-9])*|0)",
    re.ASCII,
)
# More digits than any number of 64 bits has; Python refuses to read thousands of them.
_MOST_DIGITS = 80


class Parsed(NamedTuple):
    """Flags by name, in the order given, with what stood behind them; and the other arguments."""

    flags: list[tuple[str, str]]
    rest: list[str]


def parse(args: Sequence[str], switches: Collection[str], valued: Collection[str]) -> Parsed:
    """Take the flags off the front of `args`; names come without dashes.

    Raises:
        InvalidError: a flag is unknown, or lacks its value.

    >>> parse(["-cas", "--flags=7", "-n", "-1", "key", "-5"], {"cas"}, {"flags", "n"})
    Parsed(flags=[('cas', 'true'), ('flags', '7'), ('n', '-1')], rest=['key', '-5'])
    """
    flags: list[tuple[str, str]] = []
    rest = list(args)
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        arg = rest.pop(0)
        if arg == "--":
            break
        name, equals, value = arg.removeprefix("-").removeprefix("-").partition("=")
        if not name or name.startswith("-"):
            raise InvalidError(f"bad flag syntax: {arg}")
        if name in switches:
            value = value if equals else "true"
        elif name not in valued:
            raise InvalidError(f"flag provided but not defined: -{name}")
        elif not equals:
            if not rest:
                raise InvalidError(f"flag needs an argument: -{name}")
            value = rest.pop(0)
        flags.append((name, value))
    return Parsed(flags, rest)


def wants_help(args: Sequence[str]) -> bool:
    """Whether help is asked for anywhere before `--`.

    >>> wants_help(["get", "key", "-h"]), wants_help(["put", "--", "key", "-h"])
    (True, False)
    """
    before = args[: args.index("--")] if "--" in args else args
    return any(arg in HELP_FLAGS for arg in before)


def parse_bool(text: str) -> bool:
    """Raises: InvalidError when it is neither.

    >>> parse_bool("T"), parse_bool("0")
    (True, False)
    """
    if text not in _TRUE | _FALSE:
        raise InvalidError("parse error")
    return text in _TRUE


def parse_number(text: str, *, signed: bool) -> int:
    """A number of 64 bits, as Go's source code writes them.

    Raises:
        InvalidError: it is no number, or too large.

    >>> [parse_number(text, signed=False) for text in ("42", "0x2a", "052", "0b101010", "4_2")]
    [42, 42, 42, 42, 42]
    """
    found = _NUMBER.fullmatch(text)
    if found is None or (found["sign"] and not signed):
        raise InvalidError("parse error")
    digits = text.removeprefix(found["sign"]) if found["sign"] else text
    octal = digits.startswith("0") and digits[1:2] in tuple("_01234567")
    value = 2**64
    if len(digits) <= _MOST_DIGITS:
        value = int(digits, 8) if octal else int(digits, 0)
    value = -value if found["sign"] == "-" else value
    lowest, highest = (-(2**63), 2**63 - 1) if signed else (0, 2**64 - 1)
    if not lowest <= value <= highest:
        raise InvalidError("value out of range")
    return value

"""Regular expressions: Go's syntax, and Go's words for what is none.

RE2 takes time in proportion to the text, whatever the pattern, and keeps the
last hundred patterns compiled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, TypeAlias

import re2

from fairlead.errors import InvalidError

__all__ = ["Search", "compile_pattern"]


class Hit(Protocol):
    """Where a pattern matches; a group that took no part is None."""

    def __getitem__(self, group: int, /) -> str: ...

    def groups(self) -> tuple[str | None, ...]: ...


Search: TypeAlias = Callable[[str], Hit | None]

_BYTE = "\\C"
# Quoted text, or one escape.
_ESCAPES = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.", re.DOTALL)
_FAULTS = (
    ("missing ]", "missing closing ]"),
    ("missing )", "missing closing )"),
    ("invalid named capture group", "invalid named capture"),
    ("bad repetition operator", "invalid nested repetition operator"),
    ("invalid perl operator", "invalid or unsupported Perl syntax"),
    ("invalid repetition size", "invalid repeat count"),
    ("no argument for repetition operator", "missing argument to repetition operator"),
    ("trailing \\", "trailing backslash at end of expression"),
)
"""How RE2 and Go's port of it name the same faults."""


def compile_pattern(pattern: str) -> Search:
    """What finds the leftmost match in a text.

    Raises:
        InvalidError: it is no regular expression.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        search: Search = re2.compile(pattern, options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise InvalidError(f"error parsing regexp: {_fault(error)}") from error
    # RE2 would match single bytes, parts of characters.
    if _BYTE in _ESCAPES.findall(pattern):
        raise InvalidError(f"error parsing regexp: invalid escape sequence: `{_BYTE}`")
    return search


def _fault(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "invalid UTF-8"
    fault = error.args[0]
    text = fault.decode("utf-8", "replace") if isinstance(fault, bytes) else str(fault)
    name, _, part = text.partition(": ")
    for ours, theirs in _FAULTS:
        if name == ours:
            name = theirs
    return f"{name}: `{part}`"

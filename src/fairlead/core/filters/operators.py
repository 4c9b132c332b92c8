"""Which operators a kind of field knows, and what each tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import fairlead.core.filters.syntax as syntax
from fairlead.core.filters.literals import parse_bool, parse_int, quote
from fairlead.core.filters.selectors import Each, Field, Flag, Lookup, Number, Text, Texts
from fairlead.core.patterns import compile_pattern
from fairlead.errors import InvalidError

__all__ = ["Test", "has_operator", "test_of"]

Test: TypeAlias = Callable[[Any], bool]

_EQUALITY = frozenset({syntax.EQUAL, syntax.NOT_EQUAL})
_CONTENT = frozenset({syntax.CONTAINS, syntax.NOT_CONTAINS})
_PATTERN = frozenset({syntax.MATCHES, syntax.NOT_MATCHES})
_EMPTINESS = frozenset({syntax.IS_EMPTY, syntax.IS_NOT_EMPTY})
_OPERATORS: dict[type, frozenset[str]] = {
    Text: _EQUALITY | _CONTENT | _PATTERN,
    Number: _EQUALITY,
    Flag: _EQUALITY,
    Texts: _CONTENT | _EMPTINESS,
    Lookup: _CONTENT | _EMPTINESS,
    Each: _EMPTINESS,
}
_NEGATIVE = frozenset(
    {syntax.NOT_EQUAL, syntax.NOT_CONTAINS, syntax.NOT_MATCHES, syntax.IS_NOT_EMPTY}
)


def has_operator(field: Field, operator: str) -> bool:
    return operator in _OPERATORS.get(type(field), ())


def test_of(field: Field, operator: str, value: str | None, selector: str) -> Test:
    """What tests a value of that kind; absent ones are None, UNSET or empty alike.

    Raises:
        InvalidError: the value is none that the field can have.
    """
    test = _positive(field, operator, value or "", selector)
    if operator not in _NEGATIVE:
        return test
    return lambda found: not test(found)


def _positive(field: Field, operator: str, value: str, selector: str) -> Test:
    if operator in _EMPTINESS:
        return lambda found: not found
    if isinstance(field, Number | Flag):
        return _equals(field, value, selector)
    if operator in _PATTERN:
        return _matches(value)
    if operator in _EQUALITY:
        return lambda found: (found or "") == value
    if isinstance(field, Text):
        return lambda found: value in (found or "")
    return lambda found: value in (found or ())


def _equals(field: Number | Flag, value: str, selector: str) -> Test:
    try:
        wanted = parse_int(value) if isinstance(field, Number) else parse_bool(value)
    except InvalidError as error:
        raise InvalidError(
            f"Failed to coerce value {quote(value)} for selector {quote(selector)}: {error}"
        ) from error
    return lambda found: (found or 0) == wanted


def _matches(pattern: str) -> Test:
    try:
        search = compile_pattern(pattern)
    except InvalidError as error:
        raise InvalidError(
            f"Failed to compile regular expression {quote(pattern)}: {error}"
        ) from error
    return lambda found: search(found or "") is not None

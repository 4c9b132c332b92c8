"""`fairlead.core.filters.grammar`: precedence, places, limits; the words are conversations."""

from __future__ import annotations

import pytest

import fairlead.core.filters.syntax as syntax
from fairlead.core.filters.grammar import parse
from fairlead.core.filters.syntax import And, Match, Not, Or
from fairlead.errors import InvalidError


def _is(name: str) -> Match:
    return Match((name,), syntax.EQUAL, "x")


A, B, C = _is("a"), _is("b"), _is("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a == x", A),
        ("(a == x)", A),
        ("a == x or b == x and c == x", Or((A, And((B, C))))),
        ("(a == x or b == x) and c == x", And((Or((A, B)), C))),
        ("not a == x and b == x", And((Not(A), B))),
        ("not not a == x", A),
        ("not not not a == x", Not(A)),
        ("not == x", Match(("not",), syntax.EQUAL, "x")),
        ("not not == x", Not(Match(("not",), syntax.EQUAL, "x"))),
        ('a["b c"].d is empty', Match(("a", "b c", "d"), syntax.IS_EMPTY, None)),
        ("a is not empty", Match(("a",), syntax.IS_NOT_EMPTY, None)),
        ('"v" not in a', Match(("a",), syntax.NOT_CONTAINS, "v")),
        ("a not contains -1.5", Match(("a",), syntax.NOT_CONTAINS, "-1.5")),
        ("a matches `\\d`", Match(("a",), syntax.MATCHES, "\\d")),
        ("b.c in a", Match(("a",), syntax.CONTAINS, "b.c")),
    ],
)
def test_an_expression_is_read_as_meant(text: str, expected: syntax.Expression) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a == x b", "1:8 (7)"),
        ("é", "1:1 (0)"),
        ('a == "é" b', "1:10 (10)"),
        ("a == x\nb", "2:1 (7)"),
        ("a == x\n\n  b", "3:3 (10)"),
    ],
)
def test_a_fault_is_placed_by_line_column_and_byte(text: str, place: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"{place}: ")


def test_forty_parentheses_are_read_at_once_and_more_are_refused() -> None:
    assert parse("(" * 40 + "a == x" + ")" * 40) == A
    with pytest.raises(InvalidError, match="more than 40 parentheses deep"):
        parse("(" * 41 + "a == x" + ")" * 41)


def test_an_expression_that_is_too_long_is_refused() -> None:
    with pytest.raises(InvalidError, match="longer than 16384 characters"):
        parse("a == x or " * 2000 + "a == x")


def test_a_long_row_of_comparisons_needs_no_deep_stack() -> None:
    found = parse(" and ".join(["a == x"] * 1000))
    assert isinstance(found, And)
    assert len(found.operands) == 1000
    assert isinstance(parse("not " * 4001 + "a == x"), Not)

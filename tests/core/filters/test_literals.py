"""`fairlead.core.filters.literals`: Go's strconv."""

from __future__ import annotations

import pytest

from fairlead.core.filters.literals import parse_bool, parse_int, quote, unquote
from fairlead.errors import InvalidError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-80", -80),
        ("+80", 80),
        ("0x50", 80),
        ("0X_5_0", 80),
        ("0b11", 3),
        ("0o17", 15),
        ("017", 15),
        ("1_000", 1000),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_numbers_are_read_in_the_base_they_begin_with(text: str, value: int) -> None:
    assert parse_int(text) == value


@pytest.mark.parametrize("text", ["", "-", "08", "0x", "1__0", "_1", "1_", " 1", "١", "1.0", "0b2"])
def test_what_is_no_number_is_named(text: str) -> None:
    with pytest.raises(InvalidError, match="invalid syntax"):
        parse_int(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809", "9" * 5000])
def test_numbers_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="value out of range"):
        parse_int(text)


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        (r'"a\n\t\\\x41\102\u00e9\U0001F600"', "a\n\t\\AB\u00e9\U0001f600"),
        (r'"\xc3\xa9"', "é"),
        ("`a\\n\r`", "a\\n"),
        ('""', ""),
    ],
)
def test_literals_are_unquoted(literal: str, text: str) -> None:
    assert unquote(literal) == text


@pytest.mark.parametrize(
    "literal", [r'"\q"', r'"\x4"', r'"\400"', '"a\nb"', r'"\u12"', r'"\UFFFFFFFF"', '"\\"']
)
def test_bad_escapes_are_refused(literal: str) -> None:
    with pytest.raises(InvalidError, match="invalid syntax"):
        unquote(literal)


def test_texts_are_quoted_as_in_go() -> None:
    assert quote('a"\\\n\x01\x7fé\u200b\U000e0001') == r'"a\"\\\n\x01\x7fé\u200b\U000e0001"'
    assert quote(unquote(r'"\xff"')) == r'"\xff"'


def test_booleans_are_those_of_go() -> None:
    assert [parse_bool(text) for text in ("1", "T", "false", "F")] == [True, True, False, False]
    with pytest.raises(InvalidError, match='parsing "yes": invalid syntax'):
        parse_bool("yes")

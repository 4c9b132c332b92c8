"""Flags and numbers are read as Go reads them."""

from __future__ import annotations

import pytest

from fairlead.cli.syntax import Parsed, parse, parse_bool, parse_number, wants_help
from fairlead.errors import InvalidError

SWITCHES = {"cas", "recurse"}
VALUED = {"flags", "n", "http-addr"}


@pytest.mark.parametrize(
    ("line", "flags", "rest"),
    [
        ("", [], []),
        ("key", [], ["key"]),
        ("-cas key", [("cas", "true")], ["key"]),
        ("--cas key", [("cas", "true")], ["key"]),
        ("-cas=false key", [("cas", "false")], ["key"]),
        ("-cas=maybe key", [("cas", "maybe")], ["key"]),
        ("-cas false", [("cas", "true")], ["false"]),
        ("-n=2 key", [("n", "2")], ["key"]),
        ("-n 2 key", [("n", "2")], ["key"]),
        ("-n -2 key", [("n", "-2")], ["key"]),
        ("-n -- key", [("n", "--")], ["key"]),
        ("-n= key", [("n", "")], ["key"]),
        ("-n=a=b key", [("n", "a=b")], ["key"]),
        ("-n 1 -n 2", [("n", "1"), ("n", "2")], []),
        ("key -cas", [], ["key", "-cas"]),
        ("key -5", [], ["key", "-5"]),
        ("- key", [], ["-", "key"]),
        ("-- -cas key", [], ["-cas", "key"]),
        ("-cas -- -- key", [("cas", "true")], ["--", "key"]),
        ("=a", [], ["=a"]),
    ],
)
def test_flags_end_at_the_first_argument_that_is_none(
    line: str, flags: list[tuple[str, str]], rest: list[str]
) -> None:
    assert parse(line.split(), SWITCHES, VALUED) == Parsed(flags, rest)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-bogus key", "flag provided but not defined: -bogus"),
        ("--bogus=1", "flag provided but not defined: -bogus"),
        ("-n2", "flag provided but not defined: -n2"),
        ("-n", "flag needs an argument: -n"),
        ("-cas -http-addr", "flag needs an argument: -http-addr"),
        ("---n", "bad flag syntax: ---n"),
        ("-=1", "bad flag syntax: -=1"),
        ("--=1", "bad flag syntax: --=1"),
    ],
)
def test_what_is_no_flag_is_refused_in_words_of_go(line: str, words: str) -> None:
    with pytest.raises(InvalidError, match=f"^{words}$"):
        parse(line.split(), SWITCHES, VALUED)


def test_help_is_asked_for_anywhere_but_behind_two_dashes() -> None:
    assert wants_help(["key", "-h"])
    assert wants_help(["--help"])
    assert not wants_help(["key", "--", "-help"])
    assert not wants_help(["-n=-h"])


@pytest.mark.parametrize("text", ["1", "t", "T", "TRUE", "true", "True"])
def test_what_go_takes_for_true_is_true(text: str) -> None:
    assert parse_bool(text) is True


@pytest.mark.parametrize("text", ["yes", "on", "tRUE", "", " true"])
def test_other_words_are_neither_true_nor_false(text: str) -> None:
    with pytest.raises(InvalidError):
        parse_bool(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("42", 42),
        ("007", 7),
        ("0o17", 15),
        ("017", 15),
        ("0_17", 15),
        ("0x_ff", 255),
        ("0B101", 5),
        ("1_000_000", 1_000_000),
        ("-5", -5),
        ("+5", 5),
        ("-0x8000000000000000", -(2**63)),
    ],
)
def test_numbers_are_written_as_in_go(text: str, number: int) -> None:
    assert parse_number(text, signed=True) == number


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1.5", "1e3", "08", "0x", "_1", "1_", "1__0", "²", "٣", "--1", "a"]
)
def test_what_go_takes_for_no_number_is_none(text: str) -> None:
    with pytest.raises(InvalidError, match=r"^parse error$"):
        parse_number(text, signed=True)


def test_a_number_without_a_sign_must_have_none() -> None:
    for text in ("-1", "+1"):
        with pytest.raises(InvalidError, match=r"^parse error$"):
            parse_number(text, signed=False)


def test_numbers_have_64_bits() -> None:
    assert parse_number(str(2**64 - 1), signed=False) == 2**64 - 1
    assert parse_number(str(2**63 - 1), signed=True) == 2**63 - 1
    for text, signed in ((str(2**64), False), (str(2**63), True), ("9" * 5000, False)):
        with pytest.raises(InvalidError, match=r"^value out of range$"):
            parse_number(text, signed=signed)

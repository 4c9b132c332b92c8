"""`fairlead.http.params`."""

from __future__ import annotations

import pytest

from fairlead.errors import InvalidError
from fairlead.http.params import Query, parse_bool, parse_uint


def test_the_first_of_equal_names_wins() -> None:
    query = Query(b"a=1&a=2&b=&c&&=x")
    assert query.get("a") == "1"
    assert query.all("a") == ["1", "2"]
    assert "b" in query
    assert "c" in query
    assert "d" not in query
    assert query.get("d") == ""


def test_names_and_values_are_decoded() -> None:
    query = Query(b"a%20b=c+d%2B%C3%A9&x;y=1")
    assert query.get("a b") == "c d+é"
    assert "x" in query
    assert query.get("y") == "1"


def test_broken_escapes_are_noticed() -> None:
    assert Query(b"a=%zz").is_broken
    assert Query(b"a=%2").is_broken
    assert not Query(b"a=%2F").is_broken


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "0x1", " 1", "1_000", "٣", "1" * 500])
def test_what_is_no_number_of_64_bits_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match=r"strconv\.ParseUint"):
        parse_uint(text)


def test_numbers_go_up_to_64_bits() -> None:
    assert parse_uint("18446744073709551615") == 2**64 - 1
    assert parse_uint("007") == 7


def test_truth_is_what_go_takes_for_it() -> None:
    assert [parse_bool(text) for text in ("1", "T", "true", "0", "F", "False", "yes", "")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        None,
        None,
    ]

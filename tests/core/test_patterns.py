"""`fairlead.core.patterns`."""

from __future__ import annotations

import time

import pytest

from fairlead.core.patterns import compile_pattern
from fairlead.errors import InvalidError


def test_the_leftmost_match_is_found_with_its_groups() -> None:
    found = compile_pattern("(é+)-(x)?")("aé-éé-")
    assert found is not None
    assert (found[0], found.groups()) == ("é-", ("é", None))
    assert compile_pattern("^b")("ab") is None


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("a(", "missing closing ): `a(`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("x{1001}", "invalid repeat count: `{1001}`"),
        ("\\", "trailing backslash at end of expression: ``"),
        ("(\\w)\\1", "invalid escape sequence: `\\1`"),
        ("a\\C", "invalid escape sequence: `\\C`"),
        ("\udc80", "invalid UTF-8"),
    ],
)
def test_what_is_none_is_refused_in_go_s_words(pattern: str, fault: str) -> None:
    with pytest.raises(InvalidError) as caught:
        compile_pattern(pattern)
    assert str(caught.value) == f"error parsing regexp: {fault}"


@pytest.mark.parametrize("pattern", ["\\Q\\C", "\\Q\\C\\E", "\\\\C"])
def test_the_escape_for_single_bytes_may_be_quoted(pattern: str) -> None:
    assert compile_pattern(pattern)("\\C") is not None


def test_no_pattern_takes_long() -> None:
    search = compile_pattern("(a+)+$")
    started = time.process_time()
    assert search("a" * 4000 + "b") is None
    assert time.process_time() - started < 1

"""`fairlead.durations`, after the tables of Go's own tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.durations import format_duration, parse_duration
from fairlead.errors import InvalidError

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("5s", 5 * SECOND),
        ("+5s", 5 * SECOND),
        ("-5s", -5 * SECOND),
        ("5.0s", 5 * SECOND),
        ("5.6s", 5_600_000_000),
        ("5.s", 5 * SECOND),
        (".5s", SECOND // 2),
        ("1.004s", 1_004_000_000),
        ("10ns", 10),
        ("11us", 11_000),
        ("12µs", 12_000),
        ("12μs", 12_000),
        ("13ms", 13_000_000),
        ("3h30m", 12_600 * SECOND),
        ("1h2m3s4ms5us6ns", 3_723_004_005_006),
        ("-1.5h", -5_400 * SECOND),
        ("0.3333333333333333333h", 1_200 * SECOND),
        ("0.100000000000000000000h", 360 * SECOND),
        ("0.830103483285477580700h", 2_988_372_539_827),
        ("9007199254740993ns", 9_007_199_254_740_993),
        ("9223372036854775807ns", 2**63 - 1),
        ("9223372036854775.807us", 2**63 - 1),
        ("9223372036s854ms775us807ns", 2**63 - 1),
        ("-9223372036854775807ns", -(2**63) + 1),
        ("0" * 5000 + "1s", SECOND),
        ("0." + "0" * 5000 + "1s", 0),
        ("0." + "9" * 5000 + "s", SECOND),
    ],
)
def test_what_go_reads_is_read(text: str, expected: int) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("3", 'time: missing unit in duration "3"'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        (".", 'time: invalid duration "."'),
        ("-.s", 'time: invalid duration "-.s"'),
        ("1x", 'time: unknown unit "x" in duration "1x"'),
        ("1h2", 'time: missing unit in duration "1h2"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ("3000000h", 'time: invalid duration "3000000h"'),
        ("9223372036854775.808us", 'time: invalid duration "9223372036854775.808us"'),
        ("9223372036854ms775us808ns", 'time: invalid duration "9223372036854ms775us808ns"'),
        ("99999999999999999999", 'time: invalid duration "99999999999999999999"'),
        ("9" * 5000 + "s", f'time: invalid duration "{"9" * 5000}s"'),
        ("٣s", 'time: invalid duration "٣s"'),
        ("1٣s", 'time: unknown unit "٣s" in duration "1٣s"'),
    ],
)
def test_what_go_refuses_is_refused_in_its_words(text: str, message: str) -> None:
    with pytest.raises(InvalidError) as caught:
        parse_duration(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("duration_ns", "expected"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245 * SECOND, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (480_000_000_001, "8m0.000000001s"),
        (-SECOND, "-1s"),
    ],
)
def test_durations_print_as_in_go(duration_ns: int, expected: str) -> None:
    assert format_duration(duration_ns) == expected


@given(st.integers(-(2**62), 2**62))
def test_what_is_printed_reads_back(duration_ns: int) -> None:
    assert parse_duration(format_duration(duration_ns)) == duration_ns

"""Durations as Consul's users write them: Go's `time.ParseDuration` and `String`.

A duration is an integer of nanoseconds. Source: the Go package `time`.
"""

from __future__ import annotations

import re

from fairlead.errors import InvalidError

__all__ = ["INT64", "SECOND_NS", "format_duration", "parse_duration"]

SECOND_NS = 1_000_000_000
INT64 = range(-(2**63), 2**63)
"""What Go keeps an integer in: its clients cannot read another."""

_UNITS_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
# A digit must come first, of the whole or of the fraction; Go knows no digits but these.
_PART = re.compile(r"(?=\.?[0-9])([0-9]*)\.?([0-9]*)([^0-9.]*)")
_MAX_NS = INT64[-1]
# Longer numbers are too large in any unit, and Python refuses to read thousands of digits.
_MOST_DIGITS = len(str(_MAX_NS))


def parse_duration(text: str) -> int:
    """Nanoseconds of `1h30m`, `1.5s`, `-10ms`, `0`.

    Raises:
        InvalidError: in Go's words, with the text quoted.

    >>> parse_duration("1.5s")
    1500000000
    >>> parse_duration("1h1m")
    3660000000000
    """
    sign, rest = (-1, text[1:]) if text[:1] == "-" else (1, text[text[:1] == "+" :])
    if rest == "0":
        return 0
    if not rest:
        raise InvalidError(f'time: invalid duration "{text}"')
    total = 0
    position = 0
    while position < len(rest):
        part = _PART.match(rest, position)
        if part is None:
            raise InvalidError(f'time: invalid duration "{text}"')
        whole, fraction, unit = part.groups()
        digits = whole.lstrip("0")
        if len(digits) > _MOST_DIGITS or int(digits or "0") > _MAX_NS:
            raise InvalidError(f'time: invalid duration "{text}"')
        if not unit:
            raise InvalidError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS_NS:
            raise InvalidError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += int(digits or "0") * _UNITS_NS[unit] + _fraction_ns(fraction, _UNITS_NS[unit])
        if total > _MAX_NS:
            raise InvalidError(f'time: invalid duration "{text}"')
        position = part.end()
    return sign * total


def _fraction_ns(digits: str, unit_ns: int) -> int:
    """What stands behind the point, rounded as Go's floats do; digits too many are dropped."""
    value = 0
    scale = 1.0
    for digit in digits:
        longer = value * 10 + int(digit)
        if longer > _MAX_NS:
            break
        value = longer
        scale *= 10
    return int(value * (unit_ns / scale))


def format_duration(duration_ns: int) -> str:
    """What Go prints for a duration.

    >>> format_duration(86_400_000_000_000), format_duration(1_500_000_000), format_duration(0)
    ('24h0m0s', '1.5s', '0s')
    """
    if duration_ns < 0:
        return "-" + format_duration(-duration_ns)
    if duration_ns == 0:
        return "0s"
    for unit, size_ns in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if duration_ns < size_ns * 1_000:
            return f"{_decimal(duration_ns, size_ns)}{unit}"
    minutes, rest_ns = divmod(duration_ns, 60_000_000_000)
    seconds = f"{_decimal(rest_ns, 1_000_000_000)}s"
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _decimal(value: int, size: int) -> str:
    """`value / size` with no trailing zeros."""
    whole, rest = divmod(value, size)
    if not rest:
        return str(whole)
    digits = len(str(size)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")

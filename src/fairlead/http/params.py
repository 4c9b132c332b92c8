"""Query parameters: parsing, and the kinds of value Consul's endpoints take.

The first of several equal names wins, as in Go's `url.Values.Get`. Most flags
count when present, whatever their value (`?recurse=false` recurses).
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from msgspec import Struct

from fairlead.durations import parse_duration
from fairlead.errors import InvalidError
from fairlead.http.urls import BROKEN_ESCAPE

__all__ = [
    "DEFAULT_READ",
    "EMPTY",
    "UINT64_MAX",
    "Query",
    "ReadOptions",
    "parse_bool",
    "parse_uint",
]

UINT64_MAX = 2**64 - 1
_MOST_DIGITS = len(str(UINT64_MAX))
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def parse_uint(text: str) -> int:
    """A decimal from 0 to 2^64-1.

    Raises:
        InvalidError: in the words of Go's strconv.
    """
    if not (text.isascii() and text.isdigit()):
        raise InvalidError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    digits = text.lstrip("0") or "0"
    # Python refuses to read thousands of digits.
    if len(digits) > _MOST_DIGITS or int(digits) > UINT64_MAX:
        raise InvalidError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(digits)


def parse_bool(text: str) -> bool | None:
    """What Go's strconv.ParseBool reads; None for anything else."""
    if text in _TRUE:
        return True
    return False if text in _FALSE else None


class ReadOptions(Struct, frozen=True):
    """How a read is to be answered; `wait_ns` is 0 for the default time."""

    index: int
    wait_ns: int
    consistent: bool
    stale: bool


DEFAULT_READ = ReadOptions(0, 0, False, False)
_STALE_READ = ReadOptions(0, 0, False, True)


class Query:
    """The parameters of one request; `is_broken` when an escape in them is."""

    __slots__ = ("_values", "is_broken")

    def __init__(self, raw: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        self.is_broken = False
        if raw:
            self.is_broken = BROKEN_ESCAPE.search(raw) is not None
            if b";" in raw:
                # Go 1.15, which the reference was built with, parts at these too.
                raw = raw.replace(b";", b"&")
            for part in raw.split(b"&"):
                if part:
                    name, _, value = part.partition(b"=")
                    self._values.setdefault(_decode(name), []).append(_decode(value))

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __bool__(self) -> bool:
        return bool(self._values)

    def get(self, name: str) -> str:
        """The first value, empty when there is none."""
        values = self._values.get(name)
        return values[0] if values else ""

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def uint(self, name: str) -> int | None:
        """None when the parameter is not there at all."""
        values = self._values.get(name)
        return parse_uint(values[0]) if values else None

    def read_options(self) -> ReadOptions:
        """The parameters that every read shares.

        Raises:
            InvalidError: one of them is no such value, or two contradict each other.
        """
        if not self._values:
            return DEFAULT_READ
        if self.get("ns"):
            raise InvalidError(
                'Bad request: Invalid query parameter: "ns" - '
                "Namespaces are a Consul Enterprise feature"
            )
        consistent, stale = "consistent" in self, "stale" in self
        if consistent and stale:
            raise InvalidError("Cannot specify ?stale with ?consistent, conflicting semantics.")
        if consistent and "cached" in self:
            raise InvalidError("Cannot specify ?cached with ?consistent, conflicting semantics.")
        return ReadOptions(self._index(), self._wait_ns(), consistent, stale)

    def stale_option(self) -> ReadOptions:
        """The same for routes that know none of them but `stale`."""
        return _STALE_READ if "stale" in self else DEFAULT_READ

    def _index(self) -> int:
        text = self.get("index")
        try:
            return parse_uint(text) if text else 0
        except InvalidError as error:
            raise InvalidError("Invalid index") from error

    def _wait_ns(self) -> int:
        text = self.get("wait")
        try:
            return max(parse_duration(text), 0) if text else 0
        except InvalidError as error:
            raise InvalidError("Invalid wait time") from error


EMPTY = Query(b"")


def _decode(raw: bytes) -> str:
    """One name or value: `+` is a space, `%XX` a byte; what is not UTF-8 is replaced."""
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "replace")

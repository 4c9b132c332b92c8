"""Texts, numbers and booleans as Go's strconv reads and writes them."""

from __future__ import annotations

import re

from fairlead.errors import InvalidError

__all__ = ["parse_bool", "parse_int", "quote", "unquote"]

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_SHORT = {value: f"\\{name}" for name, value in _SIMPLE.items()}
_DECIMAL = re.compile(r"[1-9][0-9]*(?:_[0-9]+)*|0")
_BASED = re.compile(r"0(?:[xX](?:_?[0-9a-fA-F])+|[oO]?(?:_?[0-7])+|[bB](?:_?[01])+)")
_INT64_MAX = 2**63 - 1
_DIGITS_LIMIT = 100
"""A number of more digits is out of range, whatever it says."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def quote(text: str) -> str:
    r"""A text as `%q` prints it.

    >>> print(quote('say "é"\n'))
    "say \"é\"\n"
    """
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    short = _SHORT.get(char)
    if short is not None:
        return short
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def unquote(literal: str) -> str:
    r"""What a literal in backticks or double quotes stands for.

    Raises:
        InvalidError: an escape in it is none.

    >>> unquote('"a\\tb"'), unquote('`a\\tb`')
    ('a\tb', 'a\\tb')
    """
    inner = literal[1:-1]
    if literal[0] == "`":
        return inner.replace("\r", "")
    if "\n" in inner:
        raise InvalidError("invalid syntax")
    if "\\" not in inner:
        return inner
    parts = []
    position = 0
    while position < len(inner):
        start = inner.find("\\", position)
        if start < 0:
            parts.append(inner[position:].encode())
            break
        parts.append(inner[position:start].encode())
        found = _ESCAPE.match(inner, start)
        if found is None:
            raise InvalidError("invalid syntax")
        parts.append(_unescaped(found))
        position = found.end()
    return b"".join(parts).decode("utf-8", "surrogateescape")


def _unescaped(found: re.Match[str]) -> bytes:
    simple, hexadecimal, octal, short, long = found.groups()
    if simple:
        return _SIMPLE[simple].encode()
    if hexadecimal or octal:
        code = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if code > 255:
            raise InvalidError("invalid syntax")
        return bytes([code])
    code = int(short or long, 16)
    if code > 0x10FFFF or (long and 0xD800 <= code < 0xE000):
        raise InvalidError("invalid syntax")
    return (chr(code) if not 0xD800 <= code < 0xE000 else "\ufffd").encode()


def parse_int(text: str) -> int:
    """A signed 64-bit number; its base is told by how it begins.

    Raises:
        InvalidError: in the words of Go's strconv.

    >>> parse_int("0x50"), parse_int("0120"), parse_int("-8_0")
    (80, 80, -80)
    """
    digits = text[1:] if text[:1] in ("-", "+") else text
    prefix = digits[:2].lower()
    if _DECIMAL.fullmatch(digits):
        base = 10
    elif _BASED.fullmatch(digits):
        base = {"0x": 16, "0b": 2}.get(prefix, 8)
    else:
        raise InvalidError(f"strconv.ParseInt: parsing {quote(text)}: invalid syntax")
    bare = digits.replace("_", "")
    bare = bare[2:] if prefix in ("0x", "0b", "0o") else bare
    value = int(bare, base) if len(bare) <= _DIGITS_LIMIT else _INT64_MAX + 2
    if value > _INT64_MAX + (text[:1] == "-"):
        raise InvalidError(f"strconv.ParseInt: parsing {quote(text)}: value out of range")
    return -value if text[:1] == "-" else value


def parse_bool(text: str) -> bool:
    """Raises: InvalidError, in the words of Go's strconv."""
    if text not in _TRUE and text not in _FALSE:
        raise InvalidError(f"strconv.ParseBool: parsing {quote(text)}: invalid syntax")
    return text in _TRUE

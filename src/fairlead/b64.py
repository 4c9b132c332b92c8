"""Standard base64, with Go's words for what is none."""

from __future__ import annotations

import binascii
import re

from fairlead.errors import InvalidError

__all__ = ["decode_base64"]

_DIGITS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_WHOLE = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_PADDING = ord("=")
_BREAKS = b"\r\n"


def decode_base64(text: bytes) -> bytes:
    """What it stands for; line breaks do not matter.

    Raises:
        InvalidError: in Go's words, with the position of the fault.

    >>> decode_base64(b"aGVs\\r\\nbG8=")
    b'hello'
    """
    data = text.translate(None, _BREAKS)
    # Of `=` where none belongs, Python takes some.
    if _WHOLE.fullmatch(data) is None:
        raise InvalidError(f"illegal base64 data at input byte {_fault(text)}")
    return binascii.a2b_base64(data)


def _fault(text: bytes) -> int:
    """Where Go's decoder stops: at what is wrong, or where the group begins that is not whole.

    Source: `encoding/base64/base64.go`, "decodeQuantum".
    """
    digits = 0
    for position, byte in enumerate(text):
        if byte in _BREAKS:
            continue
        if byte in _DIGITS:
            digits = (digits + 1) % 4
        elif byte == _PADDING and digits >= 2:
            return _fault_behind(text, position + 1, is_whole=digits == 3)
        else:
            return position
    return len(text) - digits


def _fault_behind(text: bytes, position: int, *, is_whole: bool) -> int:
    """The same, behind the first `=` of the padding; `is_whole` when there is to be no other."""
    position = _next(text, position)
    if not is_whole:
        if position < len(text) and text[position] != _PADDING:
            return position - 1
        position = _next(text, position + 1)
    return min(position, len(text))


def _next(text: bytes, position: int) -> int:
    """Past line breaks."""
    while position < len(text) and text[position] in _BREAKS:
        position += 1
    return position

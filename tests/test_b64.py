"""`fairlead.b64`."""

from __future__ import annotations

from base64 import b64encode

import pytest

from fairlead.b64 import decode_base64
from fairlead.errors import InvalidError


@pytest.mark.parametrize("value", [b"", b"a", b"ab", b"abc", b"abcd", bytes(range(256))])
def test_what_was_encoded_comes_back(value: bytes) -> None:
    assert decode_base64(b64encode(value)) == value


@pytest.mark.parametrize("text", [b"YW\nI=\r\n", b"YWI\n=", b"YWJ="])
def test_line_breaks_and_spare_bits_do_not_matter(text: bytes) -> None:
    assert decode_base64(text) == b"ab"


# The positions are those of Consul 1.8.7, asked by `agent -encrypt`.
@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b"!!!", 0),
        (b"=", 0),
        (b"a", 0),
        (b"ab", 0),
        (b"abc", 0),
        (b"ab=", 3),
        (b"ab=c", 2),
        (b"ab==c", 4),
        (b"abc==", 4),
        (b"abc=d", 4),
        (b"abcd=", 4),
        (b"YW Jj", 2),
        (b"YW\nJj!", 5),
        (b"abcd\nab", 5),
        (b"aGVsbG8", 4),
        (b"_-8=", 0),
        (b"MDEyMzQ1Njc4OTAxMjM0NQ=", 23),
        (b"MDEyMzQ1Njc4OTAxMjM0NQ", 20),
    ],
)
def test_what_is_none_is_refused_with_the_place(text: bytes, position: int) -> None:
    with pytest.raises(InvalidError) as caught:
        decode_base64(text)
    assert str(caught.value) == f"illegal base64 data at input byte {position}"

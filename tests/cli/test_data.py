"""DATA arguments: base64 in Go's words, files and stdin."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from fairlead.cli.data import decode_base64, read_data
from fairlead.errors import InvalidError


@pytest.mark.parametrize("value", [b"", b"a", b"ab", b"abc", b"abcd", bytes(range(256))])
def test_base64_comes_back(value: bytes) -> None:
    assert decode_base64(b64encode(value)) == value


@pytest.mark.parametrize(
    ("text", "position"),
    [
        (b"!!!", 0),
        (b"aGVsbG8", 4),
        (b"_-8=", 0),
        (b"aGVs!G8=", 4),
        (b"YWI==", 0),
        (b"YQ", 0),
        (b"=", 0),
        (b"aGVs bG8=", 4),
    ],
)
def test_bad_base64_is_refused_with_its_place(text: bytes, position: int) -> None:
    with pytest.raises(InvalidError, match=rf"^illegal base64 data at input byte {position}$"):
        decode_base64(text)


def test_data_is_itself_or_the_content_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"\x00\xff")
    assert read_data("text") == b"text"
    assert read_data(f"@{file}") == b"\x00\xff"
    assert read_data("\udcff") == b"\xff"


@pytest.mark.parametrize("name", ["nothing", "", "/"])
def test_a_file_that_cannot_be_read_is_named(name: str) -> None:
    with pytest.raises(InvalidError, match=rf"^Error! Failed to read file: open {name}: "):
        read_data(f"@{name}")

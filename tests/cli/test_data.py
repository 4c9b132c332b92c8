"""DATA arguments: files and stdin."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.cli.data import read_data
from fairlead.errors import InvalidError


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

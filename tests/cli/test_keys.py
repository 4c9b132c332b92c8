"""Key arguments."""

from __future__ import annotations

import pytest

from fairlead.cli.keys import read_key, written_key
from fairlead.errors import InvalidError


@pytest.mark.parametrize("key", ["a", "a/", "a/b", "a b", ".a", "a..", "...", "ü", "a/.b/c"])
def test_a_key_that_a_url_can_name_may_be_written(key: str) -> None:
    assert written_key(key) == key


@pytest.mark.parametrize("key", ["/a", "//", "a//b", "a//", ".", "..", "a/..", "./a", "a/../b"])
def test_any_other_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidError, match=r"^Invalid key. Key must not "):
        written_key(key)


def test_a_slash_in_front_of_a_key_to_read_is_not_meant() -> None:
    assert read_key("/a/b") == "a/b"
    assert read_key("a/b") == "a/b"
    assert read_key("//a") == "/a"

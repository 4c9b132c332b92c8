"""What is printed: colour on terminals only, JSON as Go prints it."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess

import pytest

from fairlead.cli.output import aligned, dump_json, explained, style
from fairlead.errors import FairleadError, UnavailableError
from tests.cli.programs import environment
from tests.processes import FAIRLEAD

_RED = "\033[31m"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert style("wrong", "red", Terminal()) == f"{_RED}wrong\033[0m"
    assert style("wrong", "red", io.StringIO()) == "wrong"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", ""), ("NO_COLOR", "1"), ("TERM", "dumb")])
def test_nobody_has_to_see_colour(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert style("wrong", "red", Terminal()) == "wrong"


@pytest.mark.parametrize(("more", "colours"), [({"TERM": "xterm"}, 1), ({"NO_COLOR": "1"}, 0)])
def test_an_error_on_a_real_terminal_is_red_if_it_may_be(
    more: dict[str, str], colours: int
) -> None:
    ours, theirs = pty.openpty()
    command = [*FAIRLEAD, "kv", "get"]
    done = subprocess.run(command, stderr=theirs, env=environment("", more), check=False)
    os.close(theirs)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert done.returncode == 1
    assert "Error! Missing KEY argument" in shown
    assert shown.count(_RED) == colours


def test_columns_are_as_wide_as_the_longest_name_or_as_told() -> None:
    assert aligned([("a", 1), ("long", "x")]) == "a     1\nlong  x"
    assert aligned([("a", 1)], 5) == "a    1"


def test_json_is_that_of_go() -> None:
    assert dump_json([], indent="\t") == "[]"
    assert dump_json(None) == "null"
    assert dump_json([{"a": 1}], indent="\t") == '[\n\t{\n\t\t"a": 1\n\t}\n]'
    assert dump_json({"a": [1, 2]}, indent=None) == '{"a":[1,2]}'
    text = dump_json("<ü&\u2028>")
    assert text == '"\\u003cü\\u0026\\u2028\\u003e"'
    assert json.loads(text) == "<ü&\u2028>"


def test_an_explained_error_keeps_its_hint() -> None:
    with (
        pytest.raises(FairleadError, match=r"^it failed: no answer$") as caught,
        explained("it failed"),
    ):
        raise UnavailableError("no answer", hint="try again")
    assert caught.value.hint == "try again"

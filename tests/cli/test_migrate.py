"""`fairlead operator migrate`: what it is told, and how it answers mistakes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.agent.migration.states import KEYS, database
from tests.cli.conftest import Fairlead
from tests.processes import FAIRLEAD


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "takes two arguments, FROM and TO (got 0)"),
        (["one"], "takes two arguments, FROM and TO (got 1)"),
        (["one", "two", "three"], "takes two arguments, FROM and TO (got 3)"),
        (["one", "two", "-force"], "flags go before FROM and TO: -force"),
        (["-format=xml", "one", "two"], '-format is "pretty" or "json", not "xml"'),
        (["-bogus", "one", "two"], "flag provided but not defined: -bogus"),
        (["one", "ftp://x"], "there is nothing"),
        (["http://127.0.0.1:1", "two"], "connection refused"),
        (["http://127.0.0.1:x", "two"], '"x" is not a port'),
    ],
)
def test_a_mistake_is_named_and_nothing_made(
    fairlead: Fairlead, tmp_path: Path, words: list[str], said: str
) -> None:
    done = fairlead("operator", "migrate", *words, cwd=tmp_path)
    assert done.code == 1
    assert said in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_json_has_whole_checksums(fairlead: Fairlead, tmp_path: Path) -> None:
    database(tmp_path / "one")
    done = fairlead("operator", "migrate", "-format=json", "one", "two", cwd=tmp_path)
    assert done.code == 0
    report = json.loads(done.stdout)
    assert report["Equal"]
    assert report["Tables"]["kv"]["Source"] == report["Tables"]["kv"]["Target"]
    assert report["Tables"]["kv"]["Target"]["Rows"] == KEYS
    assert len(report["Tables"]["kv"]["Target"]["Sha256"]) == 64
    assert report["LeftOut"] == 1


def test_a_terminal_sees_how_far_it_is_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    database(tmp_path / "one")
    ours, theirs = pty.openpty()
    command = [*FAIRLEAD, "operator", "migrate", "one", "two"]
    env = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, cwd=tmp_path, env=env, check=True
    )
    os.close(theirs)
    seen = os.read(ours, 65536).decode()
    os.close(ours)
    assert f"writing: {KEYS + 3} rows" in seen
    assert "reading it back" in seen
    assert seen.endswith("\r\033[K")
    assert done.stdout.decode().endswith("both sides are equal\n")

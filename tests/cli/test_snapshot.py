"""`fairlead snapshot`: files that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead


@pytest.fixture
def saved(fairlead: Fairlead, tmp_path: Path) -> Path:
    assert fairlead("snapshot", "save", "state.snap", cwd=tmp_path).code == 0
    return tmp_path / "state.snap"


def test_only_the_owner_may_read_what_is_saved(saved: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600


def test_nothing_else_is_left_in_the_folder(saved: Path, fairlead: Fairlead) -> None:
    assert fairlead("snapshot", "save", str(saved)).code == 0
    assert list(saved.parent.iterdir()) == [saved]


def test_a_file_that_cannot_be_written_leaves_nothing(fairlead: Fairlead, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("folder", "nowhere/state.snap"):
        done = fairlead("snapshot", "save", name, cwd=tmp_path)
        assert done.code == 1
        assert done.stderr.startswith(f"Error writing snapshot file: open {name}: ")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_inspect_needs_no_agent(saved: Path, fairlead: Fairlead) -> None:
    done = fairlead("snapshot", "inspect", str(saved), env={"FAIRLEAD_HTTP_ADDR": "127.0.0.1:1"})
    names = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert names == ["ID", "Size", "Index", "Term", "Version"]


def test_a_damaged_file_restores_nothing(saved: Path, fairlead: Fairlead, client: Client) -> None:
    client.put("/v1/kv/damaged", b"now")
    data = bytearray(saved.read_bytes())
    data[len(data) // 2] ^= 0xFF
    saved.write_bytes(data)
    done = fairlead("snapshot", "inspect", str(saved))
    assert done.code == 1
    assert done.stderr.startswith("Error verifying snapshot: ")
    done = fairlead("snapshot", "restore", str(saved))
    assert done.code == 1
    assert done.stderr.startswith("Error restoring snapshot: Unexpected response code: 400 (")
    assert fairlead("kv", "get", "damaged").stdout == "now\n"

"""`fairlead validate`: every fault at once, and what is odd."""

from __future__ import annotations

from pathlib import Path

from tests.cli.programs import run


def test_every_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("", "validate", "one", "two.json", cwd=tmp_path)
    assert done.code == 1
    assert done.stderr.splitlines() == [
        "Error: Config validation failed: config: Open failed on one. "
        "open one: no such file or directory",
        "config: Open failed on two.json. open two.json: no such file or directory",
    ]


def test_every_fault_of_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"bogus": 1, "ports": {"http": "x"}}')
    done = run("", "validate", "bad.json", cwd=tmp_path)
    assert done.code == 1
    assert done.stdout == ""
    for fault in ("invalid config key bogus", "'ports.http' expected type 'int'"):
        assert fault in done.stderr


def test_quiet_says_nothing_when_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "odd.hcl").write_text('data_dir = "data"\nnode_name = "odd name!"\n')
    (tmp_path / "notes.txt").write_text("not for the agent")
    assert run("", "validate", "-quiet", ".", cwd=tmp_path) == (0, "", "")
    done = run("", "validate", ".", cwd=tmp_path)
    assert (done.code, done.stdout) == (0, "Configuration is valid!\n")
    skipped, odd = done.stderr.splitlines()
    assert skipped == "warning: skipping file ./notes.txt, extension must be .hcl or .json"
    assert odd.startswith('warning: Node name "odd name!" will not be discoverable')

"""Data directories an agent must not touch: in use, corrupted, or of a newer format."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fairlead.engines.sqlite import FORMAT
from tests.crash.storm import seed
from tests.crash.writers import Speaker
from tests.processes import AgentProcess, fairlead_agent

_LIMIT_S = 20.0
_KEYS = 300
_FLIPS = 8
_VALUE = "x" * 1000
_LINE = 600
_PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with some pages of keys, left in order."""
    folder = tmp_path_factory.mktemp("written")
    agent = fairlead_agent(folder).start()
    speaker = Speaker(agent.port)
    for number in range(_KEYS):
        assert speaker.ask("PUT", f"/v1/kv/key{number}", _VALUE).is_true
    speaker.close()
    assert agent.stop() == 0
    return folder / "data"


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A folder for an agent, with a copy of that data."""
    shutil.copytree(written, tmp_path / "data")
    return tmp_path


@pytest.fixture
def agent(folder: Path) -> Iterator[AgentProcess]:
    """An agent that was never started."""
    agent = fairlead_agent(folder)
    yield agent
    agent.stop()


def refusal(agent: AgentProcess) -> str:
    """What the agent says when it does not start: a line, and at most one of what to try."""
    done = subprocess.run(
        agent.command, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    said = [line for line in lines if not line[4:].startswith("20")]
    assert "Traceback" not in done.stderr, done.stderr
    assert 1 <= len(said) <= 2, done.stderr
    assert said[0].startswith(("==> ", "Error: ")), done.stderr
    assert all(line.startswith("  ") for line in said[1:]), done.stderr
    assert all(len(line) < _LINE for line in said), "a line nobody can read"
    return said[0]


def test_a_second_agent_on_the_same_data_refuses_and_the_first_goes_on(
    agent: AgentProcess, folder: Path
) -> None:
    agent.start()
    second = fairlead_agent(folder)
    for _ in range(2):
        assert f"is in use by another process (pid {agent.pid})" in refusal(second)
    speaker = Speaker(agent.port)
    assert speaker.ask("PUT", "/v1/kv/after", "1").is_true
    speaker.close()
    agent.kill()
    second.start()
    speaker = Speaker(second.port)
    assert speaker.ask("GET", "/v1/kv/after?raw").body == b"1"
    speaker.close()
    second.stop()


def test_a_file_of_a_newer_format_is_refused(agent: AgentProcess, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "data" / "fairlead.db")) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    assert f"newer Fairlead (format {FORMAT + 1}" in refusal(agent)


def test_a_database_of_another_program_is_refused(agent: AgentProcess, folder: Path) -> None:
    file = folder / "data" / "fairlead.db"
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE rows (x)")
    assert "is not a file of Fairlead's" in refusal(agent)


_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "no database at all": lambda data: b"not a database " * 1000,
    "a header of zeros": lambda data: bytes(100) + data[100:],
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut to a page": lambda data: data[:_PAGE_BYTES],
    "cut within a page": lambda data: data[:1000],
    "pages of zeros": lambda data: data[:_PAGE_BYTES] + bytes(len(data) - _PAGE_BYTES),
    "pages of noise": lambda data: data[:_PAGE_BYTES] + b"\xa5" * (len(data) - _PAGE_BYTES),
    "a page at the wrong place": lambda data: data[:_PAGE_BYTES] * (len(data) // _PAGE_BYTES),
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES.keys())
def test_a_corrupted_file_is_refused(
    agent: AgentProcess, folder: Path, damage: Callable[[bytes], bytes]
) -> None:
    file = folder / "data" / "fairlead.db"
    file.write_bytes(damage(file.read_bytes()))
    assert str(file) in refusal(agent)


_STATEMENTS = {
    "no index": "DELETE FROM rows WHERE tbl = 'meta'",
    "an index that is none": "UPDATE rows SET row = 'x' WHERE tbl = 'meta'",
    "an index below zero": "UPDATE rows SET row = '-5' WHERE tbl = 'meta'",
    "an index without end": f"UPDATE rows SET row = '{'9' * 5000}' WHERE tbl = 'meta'",
    "an index that is no text": "UPDATE rows SET row = x'ff' WHERE tbl = 'meta'",
    "no table": "DROP TABLE rows",
    "a row that is no JSON": "UPDATE rows SET row = '{' WHERE key = 'key1'",
    "a row of another type": "UPDATE rows SET row = '{\"Key\": 1}' WHERE key = 'key1'",
    "a row that is no text": "UPDATE rows SET row = x'ff00' WHERE key = 'key1'",
    "text that is not UTF-8": "UPDATE rows SET row = CAST(row || x'ff' AS TEXT) WHERE key = 'key1'",
    "a row nested without end": f"UPDATE rows SET row = '{'[' * 99999}' WHERE key = 'key1'",
    "a key that is no text": "UPDATE rows SET key = x'6b' WHERE key = 'key1'",
    "a key that is not UTF-8": "UPDATE rows SET key = CAST(x'6bff0a0a' AS TEXT) WHERE key = 'key1'",
    "a key with a NUL": "UPDATE rows SET key = 'a' || char(0) WHERE key = 'key1'",
    "a session with no TTL to go by": (
        "INSERT INTO rows VALUES ('sessions', 's', '{"
        '"ID": "s", "Name": "", "Node": "n", "LockDelay": 0, "Behavior": "release", "TTL": "soon", '
        """"NodeChecks": null, "ServiceChecks": null}')"""
    ),
    "another table of that name": "DROP TABLE rows; CREATE TABLE rows (tbl, key, row)",
    "a name of a table that is not UTF-8": (
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET name = CAST(x'ff0a' AS TEXT)"
    ),
    "a format that never was": "PRAGMA user_version = -1",
    "a table nobody knows": "UPDATE rows SET tbl = 'unknown' WHERE key = 'key1'",
}


@pytest.mark.parametrize("statement", _STATEMENTS.values(), ids=_STATEMENTS.keys())
def test_rows_that_make_no_sense_are_refused(
    agent: AgentProcess, folder: Path, statement: str
) -> None:
    with closing(sqlite3.connect(folder / "data" / "fairlead.db", isolation_level=None)) as db:
        db.executescript(statement)
    refusal(agent)


def test_the_sentence_names_the_file_and_the_row(agent: AgentProcess, folder: Path) -> None:
    file = folder / "data" / "fairlead.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("UPDATE rows SET row = '{' WHERE key = 'key1'")
    assert f"""cannot read {file}: table "kv", row 'key1': """ in refusal(agent)


def test_a_file_that_cannot_be_written_is_refused(agent: AgentProcess, folder: Path) -> None:
    """By the version in its header: permissions keep nobody out who is root."""
    file = folder / "data" / "fairlead.db"
    data = bytearray(file.read_bytes())
    data[18] = 3
    file.write_bytes(data)
    assert "readonly" in refusal(agent)


def test_bytes_flipped_anywhere_are_refused_or_read_without_a_fault(
    agent: AgentProcess, folder: Path
) -> None:
    """SQLite has no checksums: a changed value may go unnoticed, but never as a crash."""
    chance = random.Random(seed())
    file = folder / "data" / "fairlead.db"
    whole = file.read_bytes()
    for _ in range(_FLIPS):
        data = bytearray(whole)
        for _ in range(chance.choice([1, 20, 500])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for extra in ("fairlead.db-wal", "fairlead.db-shm"):
            file.with_name(extra).unlink(missing_ok=True)
        file.write_bytes(data)
        try:
            agent.start()
        except RuntimeError:
            refusal(agent)
        else:
            assert agent.stop() == 0
        assert "Traceback" not in agent.log.read_text()

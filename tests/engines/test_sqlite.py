"""`fairlead.engines.sqlite`: the file itself, and files that are not ours."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from fairlead.engines import Batch, StoredRow
from fairlead.engines.sqlite import FORMAT, SQLiteEngine
from fairlead.errors import SettingsError, UnavailableError


async def test_a_person_can_read_the_file_while_the_agent_runs(tmp_path: Path) -> None:
    engine = SQLiteEngine(tmp_path / "fairlead.db")
    await engine.commit(Batch(3, (), (), [StoredRow("kv", "web/key1", b'{"Value":"dmFsdWUx"}')]))
    with sqlite3.connect(tmp_path / "fairlead.db") as reader:
        found = reader.execute("SELECT tbl, key, row FROM rows ORDER BY tbl").fetchall()
    reader.close()
    assert found == [("kv", "web/key1", '{"Value":"dmFsdWUx"}'), ("meta", "index", "3")]
    await engine.close()


async def test_every_commit_is_on_disk_when_it_returns(tmp_path: Path) -> None:
    engine = SQLiteEngine(tmp_path / "fairlead.db")
    settings = {
        name: engine._db.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous")
    }
    assert settings == {"journal_mode": "wal", "synchronous": 2}
    await engine.close()


def test_a_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(SettingsError, match="is not a file of Fairlead's"):
        SQLiteEngine(path)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.db"
    path.write_text("something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(SettingsError, match="file is not a database"):
        SQLiteEngine(path)
    assert path.read_text().startswith("something else")


async def test_a_file_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.db"
    await SQLiteEngine(path).close()
    with sqlite3.connect(path) as db:
        db.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()
    with pytest.raises(SettingsError, match="written by a newer Fairlead"):
        SQLiteEngine(path)


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot be written: Not a directory"):
        SQLiteEngine(tmp_path / "file" / "data" / "fairlead.db")


async def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    engine = SQLiteEngine(tmp_path / "fairlead.db")
    with pytest.raises(SettingsError, match=rf"\(pid {os.getpid()}\)"):
        SQLiteEngine(tmp_path / "fairlead.db")
    await engine.close()


async def test_a_full_disk_fails_the_write_and_no_later_one(tmp_path: Path) -> None:
    engine = SQLiteEngine(tmp_path / "fairlead.db")
    await engine.commit(Batch(1, (), (), [StoredRow("kv", "a", "1")]))
    (pages,) = engine._db.execute("PRAGMA page_count").fetchone()
    engine._db.execute(f"PRAGMA max_page_count = {pages + 1}")
    big = [StoredRow("kv", "big", "x" * 100_000), StoredRow("kv", "a", "2")]
    with pytest.raises(UnavailableError, match="full"):
        await engine.commit(Batch(2, (), [("kv", "a")], big))
    contents = await engine.load()
    assert (contents.index, list(contents.rows)) == (1, [StoredRow("kv", "a", b"1")])
    engine._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    await engine.commit(Batch(2, (), (), [StoredRow("kv", "b", "2")]))
    await engine.close()

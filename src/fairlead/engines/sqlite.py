"""The engine for one server: a SQLite file beside nothing else.

One table, `rows(tbl, key, row)`, one row per row, JSON as in the API, so that a
person with `sqlite3` can read it while the agent runs. The last index is the
row `meta/index`, written by the same statement as the batch it belongs to.

A batch is one transaction in WAL mode with `synchronous=FULL`: it is on disk
when `commit` returns. It is also one statement where it can be: the worker
thread needs Python's lock once a statement, and the event loop holds it often.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import msgspec

from fairlead.core.table import prefix_end
from fairlead.data_dir import take_lock
from fairlead.engines import DAMAGED_HINT, Batch, Contents, Engine, StoredRow
from fairlead.errors import SettingsError, UnavailableError

__all__ = ["FORMAT", "SQLiteEngine", "open"]

FORMAT = 1
APPLICATION_ID = 0x0FA1_12EA

_SCHEMA = f"""
CREATE TABLE rows (
    tbl TEXT NOT NULL,
    key TEXT NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (tbl, key)
) WITHOUT ROWID;
INSERT INTO rows VALUES ('meta', 'index', '0');
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""
_COLUMNS = [("tbl", "TEXT", 1, 1), ("key", "TEXT", 1, 2), ("row", "TEXT", 1, 0)]
_LOOK_AT_COLUMNS = "SELECT name, type, \"notnull\", pk FROM pragma_table_info('rows')"

# BEGIN IMMEDIATE alone takes a file that can only be read; and a disk that is full is no reason
# not to start, so nothing is written.
_TRY_TO_WRITE = "BEGIN IMMEDIATE; UPDATE rows SET row = row WHERE tbl = 'meta'; ROLLBACK;"
# Bytes, for their reader knows to say which row is not UTF-8, or is none at all.
_ROWS = """
SELECT tbl, key, coalesce(CAST(row AS BLOB), x'') FROM rows WHERE tbl <> 'meta' ORDER BY tbl, key
"""
_PUT = """
INSERT INTO rows
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(?) WHERE true
ON CONFLICT (tbl, key) DO UPDATE SET row = excluded.row
"""
_DELETE = """
DELETE FROM rows WHERE (tbl, key) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
)
"""
_DELETE_PREFIX = "DELETE FROM rows WHERE tbl = ? AND key >= ? AND (? IS NULL OR key < ?)"

# SQLite refuses texts of a gigabyte, and parses shorter ones with less memory.
_PARAMETER_CHARACTERS = 16 * 1024 * 1024

# SQLite's message may quote bytes of a damaged file, and Python then fails to read the message.
_ERRORS = (sqlite3.Error, UnicodeDecodeError)

_SHOWN = 200
_INDEX_DIGITS = len(str(2**63 - 1))

_encode = msgspec.json.Encoder().encode


class SQLiteEngine:
    """See the module. Statements run in one thread of its own."""

    name = "sqlite"
    batch_rows = 0

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = str(path)
        self._lock_fd = take_lock(path.parent)
        try:
            self._db = _connect(path)
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")

    async def load(self) -> Contents:
        query = "SELECT CAST(row AS TEXT) FROM rows WHERE tbl = 'meta' AND key = 'index'"
        try:
            _check_pages(self._db, self.path)
            found = self._db.execute(query).fetchone()
        except _ERRORS as error:
            raise _failure("read", self.path, error) from error
        if found is None:
            raise _damage(self.path, "it lacks its last index")
        text: str = found[0]
        if not (text.isascii() and text.isdigit() and len(text) <= _INDEX_DIGITS):
            raise _damage(self.path, "its last index is no number")
        return Contents(int(text), self._rows())

    def _rows(self) -> Iterator[StoredRow]:
        try:
            yield from map(StoredRow._make, self._db.execute(_ROWS))
        except _ERRORS as error:
            raise _failure("read", self.path, error) from error

    async def commit(self, batch: Batch) -> None:
        prefixes = [
            (table, prefix, end, end)
            for table, prefix in batch.prefix_deletes
            for end in (prefix_end(prefix),)
        ]
        statements = [(_DELETE, text) for text in _parameters(batch.deletes)]
        index = ("meta", "index", str(batch.index))
        puts = chain(map(_as_text, batch.puts), (index,))
        statements += [(_PUT, text) for text in _parameters(puts)]
        await self._run(_commit, prefixes, statements)

    async def replace(self, contents: Contents) -> None:
        await self._run(_replace, contents)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._db.close)
        self._thread.shutdown()
        os.close(self._lock_fd)

    async def _run(self, function: object, *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, function, self._db, *arguments)  # type: ignore[arg-type]
        except sqlite3.Error as error:
            raise UnavailableError(f"cannot write to {self.path}: {error}") from error


def open(address: str) -> Engine:
    """The engine on the file at `address`, made with its folder when it is not there.

    Raises:
        SettingsError: it cannot be written, is in use, or is not a file of ours.
    """
    if not _is_file_name(address):
        raise SettingsError(
            f'engine "sqlite:{address}" names no file',
            hint="name one, as in sqlite:/var/lib/fairlead/fairlead.db",
        )
    return SQLiteEngine(Path(address))


def _is_file_name(address: str) -> bool:
    """Whether a system could have a file of that name, its folder aside."""
    try:
        return bool(Path(address).name) and b"\0" not in os.fsencode(address)
    except UnicodeEncodeError:
        return False


def _connect(path: Path) -> sqlite3.Connection:
    db: sqlite3.Connection | None = None
    try:
        # To SQLite, ":memory:" is no file.
        name = os.path.abspath(path)
        db = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
        is_new = _check_kind(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;" if is_new else _TRY_TO_WRITE)
    except _ERRORS as error:
        if db is not None:
            db.close()
        raise _failure("open", path, error) from error
    except SettingsError:
        if db is not None:
            db.close()
        raise
    return db


def _check_kind(db: sqlite3.Connection, path: Path) -> bool:
    """Refuse what this version did not write; whether nobody wrote anything yet."""
    (format_,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (format_, application, tables) == (0, 0, 0):
        return True
    if application != APPLICATION_ID:
        raise SettingsError(f"{path} is not a file of Fairlead's")
    if format_ > FORMAT:
        raise SettingsError(
            f"{path} was written by a newer Fairlead (format {format_}, not {FORMAT})"
        )
    if format_ < 1:
        raise _damage(path, f"its format is {format_}")
    if db.execute(_LOOK_AT_COLUMNS).fetchall() != _COLUMNS:
        raise _damage(path, "its table of rows is missing, or another")
    return False


def _check_pages(db: sqlite3.Connection, path: Path) -> None:
    """Refuse a file whose pages do not fit together, before a write comes upon it.

    It takes a tenth of the time that loading the rows does.
    """
    (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise _damage(path, _one_line(found.removeprefix("*** in database main ***\n")))


def _damage(path: Path, what: str) -> SettingsError:
    return SettingsError(f"{path} is damaged: {what}", hint=DAMAGED_HINT)


def _failure(verb: str, path: Path, error: Exception) -> SettingsError:
    """What SQLite failed with, in its words where they can be read."""
    if isinstance(error, UnicodeDecodeError):
        return _damage(path, "its schema is no text")
    return SettingsError(f"cannot {verb} {path}: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    """SQLite quotes what it stumbled over, line breaks and all."""
    return text.encode("unicode_escape").decode()[:_SHOWN]


def _as_text(row: StoredRow) -> tuple[str, str, str]:
    text = row.text
    return row.table, row.key, text if isinstance(text, str) else text.decode()


def _parameters(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """The rows as JSON arrays, no longer than SQLite likes its parameters."""
    chunk: list[tuple[str, ...]] = []
    size = 0
    for row in rows:
        chunk.append(row)
        size += len(row[-1])
        if size > _PARAMETER_CHARACTERS:
            yield _encode(chunk).decode()
            chunk, size = [], 0
    if chunk:
        yield _encode(chunk).decode()


def _commit(
    db: sqlite3.Connection,
    prefixes: list[tuple[str, str, str | None, str | None]],
    statements: list[tuple[str, str]],
) -> None:
    if not prefixes and len(statements) == 1:
        ((statement, text),) = statements
        db.execute(statement, (text,))
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.executemany(_DELETE_PREFIX, prefixes)
        for statement, text in statements:
            db.execute(statement, (text,))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _replace(db: sqlite3.Connection, contents: Contents) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("DELETE FROM rows")
        db.executemany("INSERT INTO rows VALUES (?, ?, ?)", map(_as_text, contents.rows))
        db.execute("INSERT INTO rows VALUES ('meta', 'index', ?)", (str(contents.index),))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")

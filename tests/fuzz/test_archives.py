"""Damaged snapshot archives: refused with an `InvalidError`, or exactly what was saved."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.agent import archive
from fairlead.core.codec import encode_json
from fairlead.core.rows import KVRow, MarkRow
from fairlead.engines import Contents, StoredRow, open_engine
from fairlead.errors import InvalidError
from fairlead.store import Store
from tests.fuzz.limits import examples, within

_LIMIT_S = 5.0
_TAR_BLOCK_BYTES = 512
_ABOUT = archive.About("9d1b0c4e-8f5a-4f0e-9a7c-0123456789ab", "127.0.0.1:8300", 10**18)
_KEYS = [f"web/key{number}" for number in range(40)]
_ROWS = [
    *(
        StoredRow("kv", key, encode_json(KVRow(0, key, 7, key.encode() * 9, "", 3, 4)))
        for key in _KEYS
    ),
    StoredRow("marks", "restored", encode_json(MarkRow("restored", 2))),
]
_INDEX = 41


def written() -> bytes:
    with archive.write(Contents(_INDEX, iter(_ROWS)), _ABOUT) as file:
        return file.read()


_WHOLE = written()
_TAR = gzip.decompress(_WHOLE)
_changes = st.lists(
    st.tuples(
        st.integers(0, 100_000),
        st.sampled_from(["flip", "cut", "drop", "insert", "repeat"]),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=3,
)


def changed(data: bytes, changes: list[tuple[int, str, int]]) -> bytes:
    """`data` with some bytes changed."""
    damaged = bytearray(data)
    for at, how, byte in changes:
        at %= len(damaged) + 1
        match how:
            case "flip":
                damaged[at : at + 1] = bytes([byte])
            case "cut":
                del damaged[at:]
            case "drop":
                del damaged[at : at + byte + 1]
            case "insert":
                damaged[at:at] = bytes([byte])
            case _:
                damaged[at:at] = damaged[at : at + byte]
    return bytes(damaged)


def contents(data: bytes) -> tuple[int, list[StoredRow]] | None:
    """What the archive holds, or None when it was refused in words, by `inspect` as well."""
    words = ""
    try:
        with within(_LIMIT_S):
            found = archive.read(data)
            return found.index, list(found.rows)
    except InvalidError as error:
        words = str(error)
    assert words.strip(), "an error without a word"
    return None


def check(data: bytes) -> None:
    found = contents(data)
    assert found in (None, (_INDEX, _ROWS)), "a damaged archive was taken for another"
    try:
        with within(_LIMIT_S):
            meta = archive.inspect(data)
    except InvalidError:
        assert found is None
    else:
        assert meta.index == _INDEX


def test_a_whole_archive_is_what_was_saved() -> None:
    assert contents(_WHOLE) == (_INDEX, _ROWS)


@examples(0.5)
@given(changes=_changes)
def test_a_damaged_archive_is_refused_or_the_same(changes: list[tuple[int, str, int]]) -> None:
    check(changed(_WHOLE, changes))


@examples(0.5)
@given(changes=_changes)
def test_an_archive_of_a_damaged_tar_is_refused_or_the_same(
    changes: list[tuple[int, str, int]],
) -> None:
    check(gzip.compress(changed(_TAR, changes), 1))


@examples(0.15)
@given(data=st.binary(max_size=100))
@example(data=b"")
@example(data=gzip.compress(b""))
@example(data=gzip.compress(b"\0" * 10240))
@example(data=gzip.compress(b"x" * 512))
@example(data=_WHOLE + _WHOLE)
@example(data=_WHOLE + b"behind the end")
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    check(data)


def test_an_archive_cut_anywhere_is_refused() -> None:
    for length in range(0, len(_WHOLE), 7):
        assert contents(_WHOLE[:length]) is None, length


@pytest.mark.parametrize("cut", range(1, 9))
def test_an_archive_without_its_last_bytes_is_refused(cut: int) -> None:
    """They are the checksum of the whole stream."""
    assert contents(_WHOLE[:-cut]) is None


def test_an_archive_with_a_wrong_checksum_of_the_stream_is_refused() -> None:
    assert contents(_WHOLE[:-8] + bytes(8)) is None


@pytest.mark.parametrize("field", range(0, _TAR_BLOCK_BYTES, 4))
def test_a_header_of_the_tar_may_hold_anything(field: int) -> None:
    """With a checksum that is right, so that it is believed; sizes below zero among them."""
    for filling in (b"\xff" * 12, b"\x80" + b"\0" * 10 + b"\1", b"7" * 12, b"\0" * 12, b"x" * 12):
        header = bytearray(_TAR[:_TAR_BLOCK_BYTES])
        header[field : field + 12] = filling[: _TAR_BLOCK_BYTES - field]
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        check(gzip.compress(bytes(header) + _TAR[_TAR_BLOCK_BYTES:], 1))


def test_an_archive_of_other_files_is_refused(tmp_path: Path) -> None:
    for kind in (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
        for name in ("../state.bin", "/state.bin", "state.bin", "x", "meta.json/.."):
            file = io.BytesIO()
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                info = tarfile.TarInfo(name)
                info.type = kind
                info.linkname = "/etc/passwd"
                tar.addfile(info)
            assert contents(file.getvalue()) is None


# ---------------------------------------------------------------- made, not damaged


def packed(changes: dict[str, bytes]) -> bytes:
    """The whole archive with other files in it, and with sums that are right."""
    with tarfile.open(fileobj=io.BytesIO(_TAR)) as tar:
        files = {info.name: member.read() for info in tar if (member := tar.extractfile(info))}
    files = {**files, **changes}
    names = ("meta.json", "state.bin")
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in names]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in {**files, "SHA256SUMS": "".join(sums).encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


_NESTED = b"[" * 99_999 + b"]" * 99_999
_ODD_FILES: dict[str, dict[str, bytes]] = {
    "a state that is empty": {"state.bin": b""},
    "a format that never was": {"state.bin": b'{"fairlead":0,"index":1}\n'},
    "a format to come": {"state.bin": b'{"fairlead":99,"index":1}\n'},
    "an index below zero": {"state.bin": b'{"fairlead":1,"index":-1}\n'},
    "an index after which none can come": {"state.bin": b'{"fairlead":1,"index":%d}\n' % 2**63},
    "a head nested without end": {"state.bin": b'{"fairlead":1,"index":1,"x":%b}\n' % _NESTED},
    "a row nested without end": {
        "state.bin": b'{"fairlead":1,"index":1}\n["kv","a",%b]\n' % _NESTED
    },
    "a row that is not UTF-8": {"state.bin": b'{"fairlead":1,"index":1}\n["kv","\xff",{}]\n'},
    "meta that is none": {"meta.json": b"null"},
    "meta nested without end": {"meta.json": b'{"Configuration":{"x":%b}}' % _NESTED},
    "meta that is not UTF-8": {"meta.json": b'{"ID":"\xff"}'},
}


@pytest.mark.parametrize("files", _ODD_FILES.values(), ids=_ODD_FILES.keys())
def test_verified_files_that_make_no_sense_are_refused(files: dict[str, bytes]) -> None:
    assert contents(packed({})) == (_INDEX, _ROWS)
    assert contents(packed(files)) is None


def test_a_file_that_is_there_twice_is_refused() -> None:
    first = 3 * _TAR_BLOCK_BYTES
    assert contents(gzip.compress(_TAR[:first] + _TAR)) is None


class Keeper:
    """A store on a SQLite file, restored again and again."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self._runner = runner
        self._file = folder / "fairlead.db"
        self._store = Store(open_engine(f"sqlite:{self._file}"))
        runner.run(self._store.open())

    def close(self) -> None:
        self._runner.run(self._store.close())

    def restore(self, found: tuple[int, list[StoredRow]]) -> None:
        """All of it, or an `InvalidError` and nothing; on disk as in memory."""
        before = self._in_memory()
        try:
            self._runner.run(self._restore(Contents(*found)))
        except InvalidError:
            assert self._in_memory() == before
            raise
        else:
            assert self._store.state.index > max(found[0], int(before["meta", "index"]))
        finally:
            with closing(sqlite3.connect(self._file)) as db:
                on_disk = {
                    (table, key): row for table, key, row in db.execute("SELECT * FROM rows")
                }
            assert on_disk == self._in_memory()

    async def _restore(self, contents: Contents) -> None:
        await self._store.restore(contents)

    def _in_memory(self) -> dict[tuple[str, str], str]:
        contents = self._store.contents()
        rows = {(table, key): bytes(text).decode() for table, key, text in contents.rows}  # type: ignore[arg-type]
        return rows | {("meta", "index"): str(contents.index)}


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with asyncio.Runner() as runner:
        keeper = Keeper(runner, tmp_path_factory.mktemp("keeper"))
        yield keeper
        keeper.close()


_SESSION = (
    b'{"ID":"s","Name":"","Node":"n","LockDelay":0,"Behavior":"release","TTL":%b,'
    b'"NodeChecks":null,"ServiceChecks":null}'
)
_ODD_ROWS = {
    "a key twice": [_ROWS[0], _ROWS[0]],
    "a table twice": [_ROWS[0], _ROWS[-1], _ROWS[1]],
    "a table nobody knows": [StoredRow("x" * 999, "a", b"{}")],
    "a key with a NUL": [StoredRow("kv", "a\0b", encode_json(KVRow(0, "a\0b", 0, None)))],
    "a row of another table": [StoredRow("kv", "a", _ROWS[-1].text)],
    "a row that is not UTF-8": [StoredRow("kv", "a", b'{"Key":"\xff"}')],
    "a session with no TTL to go by": [StoredRow("sessions", "s", _SESSION % b'"soon"')],
    "a session with a TTL without end": [
        StoredRow("sessions", "s", _SESSION % b'"%bs"' % (b"9" * 5000))
    ],
}


@pytest.mark.parametrize("rows", _ODD_ROWS.values(), ids=_ODD_ROWS.keys())
def test_verified_rows_that_cannot_be_taken_change_nothing(
    keeper: Keeper, rows: list[StoredRow]
) -> None:
    with archive.write(Contents(_INDEX, rows), _ABOUT) as file:
        found = contents(file.read())
    assert found is not None
    with pytest.raises(InvalidError):
        keeper.restore(found)


def test_what_is_restored_is_on_disk_in_the_one_spelling_there_is(keeper: Keeper) -> None:
    keeper.restore((1, [StoredRow("marks", "m", b'{ "Index": 3, "New": [], "Name": "m" }')]))


_odd_cells = st.tuples(
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from(["kv", "marks", "meta", "", "x", "\0", "{}", "null", '{"Key": 1}', "[]"]),
)
_odd_rows = st.lists(_odd_cells, min_size=1, max_size=4)


@examples(0.15)
@given(cells=_odd_rows)
@example(cells=[(0, 1, "x"), (1, 1, "x")])
@example(cells=[(3, 0, "kv")])
def test_verified_rows_that_make_no_sense_are_restored_whole_or_refused(
    keeper: Keeper, cells: list[tuple[int, int, str]]
) -> None:
    rows: list[list[str]] = [[row.table, row.key, bytes(row.text).decode()] for row in _ROWS[-4:]]  # type: ignore[arg-type]
    for number, column, cell in cells:
        rows[number][column] = cell
    rows = [[table, key, text or "0"] for table, key, text in rows]
    made = [StoredRow(table, key, _json(text)) for table, key, text in rows]
    with archive.write(Contents(_INDEX, made), _ABOUT) as file:
        found = contents(file.read())
    if found is not None:
        with contextlib.suppress(InvalidError):
            keeper.restore(found)


def _json(text: str) -> bytes:
    """`text` if it is JSON, else `text` as a JSON string."""
    return text.encode() if text[:1] in ("{", "[", "n", "0") else encode_json(text)

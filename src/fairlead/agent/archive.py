"""Snapshot archives: the whole state in one verified file.

The layout is Consul's, so that its command line can save, inspect and restore
them: a gzipped tar of `meta.json`, `state.bin` and `SHA256SUMS`. What is in
`state.bin` is ours: a line of JSON that says so, then one line a row,
`["kv", "web/key1", {...}]`, ordered by table.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Annotated, Any, NamedTuple

import msgspec

from fairlead.core.codec import DECODE_ERRORS, FORMAT
from fairlead.durations import SECOND_NS
from fairlead.engines import Contents, StoredRow
from fairlead.errors import InvalidError

__all__ = ["About", "Meta", "inspect", "read", "write"]

_FILES = ("meta.json", "state.bin", "SHA256SUMS")
_READ_BYTES = 1024 * 1024
_SPOOL_BYTES = 16 * 1024 * 1024


_encode = msgspec.json.Encoder().encode


class About(NamedTuple):
    """Who writes the snapshot, and when."""

    node_id: str
    address: str
    now_ns: int


class Meta(msgspec.Struct, rename="pascal"):
    """`meta.json`, as Consul's Raft library writes it."""

    version: int
    id: str = msgspec.field(name="ID")
    index: int
    term: int
    peers: bytes | None
    configuration: dict[str, Any]
    configuration_index: int
    size: int


class _Head(msgspec.Struct):
    """The first line of `state.bin`: its format, and an index that others can come after."""

    fairlead: Annotated[int, msgspec.Meta(ge=1)]
    index: Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


_decode_row = msgspec.json.Decoder(tuple[str, str, msgspec.Raw]).decode


# ---------------------------------------------------------------- writing


def write(contents: Contents, about: About) -> IO[bytes]:
    """The archive, open for reading from its start."""
    state = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115 (closed below)
    with state:
        size, digest = _write_state(state, contents)
        meta = _encode(_meta(contents.index, size, about))
        sums = _sums({"meta.json": hashlib.sha256(meta).hexdigest(), "state.bin": digest})
        file = tempfile.TemporaryFile()  # noqa: SIM115 (handed to the caller)
        mtime = about.now_ns // SECOND_NS
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=3, mtime=mtime) as packed:
            # In this format the header of a file is one block, however large the file.
            tar = tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
            _add(tar, "meta.json", len(meta), io.BytesIO(meta), mtime)
            state.seek(0)
            _add(tar, "state.bin", size, state, mtime)
            _add(tar, "SHA256SUMS", len(sums), io.BytesIO(sums), mtime)
            # Consul reads nothing behind the two empty blocks that end an archive, and refuses
            # the padding that TarFile.close() would add.
            packed.write(bytes(2 * tarfile.BLOCKSIZE))
    file.seek(0)
    return file


def _write_state(file: IO[bytes], contents: Contents) -> tuple[int, str]:
    """Write the rows; the size and the digest of what was written."""
    digest = hashlib.sha256()
    size = 0
    for line in _lines(contents):
        digest.update(line)
        size += len(line)
        file.write(line)
    return size, digest.hexdigest()


def _lines(contents: Contents) -> Iterator[bytes]:
    yield _encode(_Head(FORMAT, contents.index)) + b"\n"
    for table, key, text in contents.rows:
        raw = msgspec.Raw(text if isinstance(text, bytes) else text.encode())
        yield _encode((table, key, raw)) + b"\n"


def _sums(digests: dict[str, str]) -> bytes:
    """`SHA256SUMS`, as `sha256sum` prints it."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()


def _meta(index: int, size: int, about: About) -> Meta:
    server = {"Suffrage": 0, "ID": about.node_id, "Address": about.address}
    return Meta(
        version=1,
        id=f"1-{index}-{about.now_ns // 1_000_000}",
        index=index,
        term=1,
        peers=None,
        configuration={"Servers": [server]},
        configuration_index=1,
        size=size,
    )


def _add(tar: tarfile.TarFile, name: str, size: int, file: IO[bytes], mtime: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o600
    info.mtime = mtime
    tar.addfile(info, file)


# ---------------------------------------------------------------- reading


def inspect(data: bytes) -> Meta:
    """What an archive says of itself, once all of it is verified.

    Raises:
        InvalidError: it is damaged or not an archive.
    """
    return _unpack(data)[0]


def read(data: bytes) -> Contents:
    """The rows of a verified archive.

    Raises:
        InvalidError: it is damaged, or not one of ours.
    """
    _, state = _unpack(data)
    first, _, rest = state.partition(b"\n")
    try:
        head = msgspec.json.decode(first, type=_Head)
    except DECODE_ERRORS as error:
        raise InvalidError(
            "the snapshot was not made by Fairlead; "
            "move keys from Consul with 'consul kv export' and 'fairlead kv import'"
        ) from error
    if head.fairlead > FORMAT:
        raise InvalidError(f"the snapshot was made by a newer Fairlead (format {head.fairlead})")
    return Contents(head.index, _rows(rest))


def _rows(lines: bytes) -> list[StoredRow]:
    rows = []
    try:
        for line in lines.splitlines():
            table, key, raw = _decode_row(line)
            rows.append(StoredRow(table, key, bytes(raw)))
    except DECODE_ERRORS as error:
        raise InvalidError(f"failed to read snapshot: row {len(rows) + 1}: {error}") from error
    return rows


def _unpack(data: bytes) -> tuple[Meta, bytes]:
    """The verified `meta.json` and `state.bin`."""
    if not data:
        raise InvalidError("failed to decompress snapshot: EOF")
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            files = _files(stream)
            # The end of the stream holds a checksum of its own.
            while stream.read(_READ_BYTES):
                pass
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        why = "invalid header" if isinstance(error, gzip.BadGzipFile) else str(error)
        raise InvalidError(f"failed to decompress snapshot: {why or 'unexpected EOF'}") from error
    for name in _FILES:
        if name not in files:
            raise InvalidError(f'failed to read snapshot: "{name}" is missing')
    _verify(files)
    try:
        meta = msgspec.json.decode(files["meta.json"], type=Meta)
    except DECODE_ERRORS as error:
        raise InvalidError(f"failed to read snapshot: meta.json: {error}") from error
    return meta, files["state.bin"]


def _files(stream: gzip.GzipFile) -> dict[str, bytes]:
    """The files of a tar, by their names.

    `TarFile` follows links, seeks, and asks for as much memory as a header wants;
    of a header that nobody has verified only name, type and size are looked at here.
    """
    files: dict[str, bytes] = {}
    while (header := stream.read(tarfile.BLOCKSIZE)) and any(header):
        info = tarfile.TarInfo.frombuf(header, "utf-8", "replace")
        is_file = info.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        if info.name not in _FILES or info.name in files or not is_file:
            raise InvalidError(f'failed to read snapshot: unexpected file "{info.name}"')
        files[info.name] = _take(stream, info.size)
        _take(stream, -info.size % tarfile.BLOCKSIZE)
    return files


def _take(stream: gzip.GzipFile, size: int) -> bytes:
    """The next `size` bytes, which nobody knows yet to be there."""
    parts = []
    left = size
    while left > 0 and (part := stream.read(min(left, _READ_BYTES))):
        parts.append(part)
        left -= len(part)
    if left:
        raise EOFError("unexpected EOF" if left > 0 else "a file of less than no bytes")
    return b"".join(parts)


def _verify(files: dict[str, bytes]) -> None:
    sums = {}
    for line in files["SHA256SUMS"].decode("ascii", "replace").splitlines():
        digest, _, name = line.partition("  ")
        sums[name] = digest
    for name in ("meta.json", "state.bin"):
        if hashlib.sha256(files[name]).hexdigest() != sums.get(name):
            raise InvalidError(f'failed to verify snapshot: checksum of "{name}" does not match')

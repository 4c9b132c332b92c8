"""`fairlead.agent.archive`: what is written reads back, and nothing else is believed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.agent import archive
from fairlead.engines import Contents, StoredRow
from fairlead.errors import InvalidError

NODE_ID = "77e821d9-801e-a3a9-f80f-afd9b589727f"
ABOUT = archive.About(NODE_ID, "10.0.0.1:8300", 1_795_451_426_598 * 10**6)
ROWS = [
    StoredRow("kv", "a/é", b'{"Key":"a/\xc3\xa9"}'),
    StoredRow("kv", "b\nc", b"[1, 2]"),
    StoredRow("sessions", "s", b"null"),
]


def written(contents: Contents) -> bytes:
    with archive.write(contents, ABOUT) as file:
        return file.read()


def files_of(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as tar:
        return {info.name: member.read() for info in tar if (member := tar.extractfile(info))}


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_what_is_written_reads_back() -> None:
    contents = archive.read(written(Contents(97, ROWS)))
    assert contents.index == 97
    assert list(contents.rows) == ROWS


def test_the_archive_says_what_consul_s_says() -> None:
    meta = json.loads(files_of(written(Contents(97, ROWS)))["meta.json"])
    assert meta["ID"] == "1-97-1795451426598"
    assert (meta["Version"], meta["Index"], meta["Term"]) == (1, 97, 1)
    assert meta["Configuration"]["Servers"] == [
        {"Suffrage": 0, "ID": ABOUT.node_id, "Address": ABOUT.address}
    ]
    assert meta["Size"] == len(files_of(written(Contents(97, ROWS)))["state.bin"])


def test_an_empty_state_is_a_state() -> None:
    contents = archive.read(written(Contents(0, [])))
    assert (contents.index, list(contents.rows)) == (0, [])


def test_inspecting_verifies() -> None:
    data = written(Contents(97, ROWS))
    assert archive.inspect(data).index == 97
    files = files_of(data)
    files["state.bin"] += b"x"
    with pytest.raises(InvalidError, match=r'checksum of "state\.bin" does not match'):
        archive.inspect(packed(files))


@pytest.mark.parametrize("name", ["meta.json", "state.bin", "SHA256SUMS"])
def test_a_missing_file_is_named(name: str) -> None:
    files = files_of(written(Contents(97, ROWS)))
    del files[name]
    with pytest.raises(InvalidError, match=f'"{name}" is missing'):
        archive.read(packed(files))


def test_files_that_do_not_belong_are_refused() -> None:
    files = files_of(written(Contents(97, ROWS))) | {"../../etc/passwd": b"x"}
    with pytest.raises(InvalidError, match="unexpected file"):
        archive.read(packed(files))


def test_a_snapshot_of_consul_s_own_is_told_apart() -> None:
    files = files_of(written(Contents(97, ROWS)))
    files["state.bin"] = b"\x81\xa9LastIndex\xce\x00\x01"
    files["SHA256SUMS"] = b"".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n".encode()
        for name in ("meta.json", "state.bin")
    )
    with pytest.raises(InvalidError, match="consul kv export"):
        archive.read(packed(files))


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None)
def test_a_changed_byte_is_noticed_or_harmless(position: int, change: int) -> None:
    data = bytearray(written(Contents(97, ROWS)))
    position %= len(data)
    data[position] ^= change
    try:
        contents = archive.read(bytes(data))
    except InvalidError:
        return
    # Only bytes that say nothing of the content may change, as the gzip header's time.
    assert (contents.index, list(contents.rows)) == (97, ROWS)


@given(st.integers(0, 10_000))
@settings(deadline=None)
def test_a_cut_archive_is_refused(length: int) -> None:
    data = written(Contents(97, ROWS))
    with pytest.raises(InvalidError):
        archive.read(data[: length % len(data)])

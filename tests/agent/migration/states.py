"""Contents of engines, made and read without an agent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fairlead.client import Client
from fairlead.core import codec
from fairlead.core.rows import KVRow, MemberRow, NodeRow, Service, ServiceRow
from fairlead.engines import Contents, StoredRow, open_engine

KEYS = 3000


def _row(table: str, key: str, row: object) -> StoredRow:
    return StoredRow(table, key, codec.encode_json(row))


def contents(keys: int = KEYS, index: int = 5000) -> Contents:
    """Keys, and a server `s1` that knows of a client `c1`."""
    kv = [
        KVRow(0, f"k/{n:05d}", 0, b"v%d" % n, create_index=n, modify_index=n) for n in range(keys)
    ]
    node = NodeRow("11111111-2222-3333-4444-555555555555", "s1", "10.0.0.1", "dc1", None, None)
    service = ServiceRow("s1", Service("consul", "consul"))
    server = MemberRow("s1", "10.0.0.1", 8301, {"role": "consul", "port": "8300"}, 1)
    client = MemberRow("c1", "10.0.0.9", 8301, {"role": "node"}, 1)
    rows = [_row("kv", row.key, row) for row in kv]
    rows += [_row("members", "c1", client), _row("members", "s1", server)]
    rows += [_row("nodes", "s1", node), _row("services", "s1\tconsul", service)]
    return Contents(index, rows, {"kv": index - 7})


def put_into(address: str, state: Contents) -> None:
    async def put() -> None:
        engine = open_engine(address)
        await engine.load()
        await engine.replace(state)
        await engine.close()

    asyncio.run(put())


def rows_in(address: str) -> tuple[int, dict[tuple[str, str], bytes]]:
    """The index, and every row."""

    async def read() -> tuple[int, dict[tuple[str, str], bytes]]:
        engine = open_engine(address)
        found = await engine.load()
        rows = {
            (row.table, row.key): row.text.encode() if isinstance(row.text, str) else row.text
            for row in found.rows
        }
        await engine.close()
        return found.index, rows

    return asyncio.run(read())


def database(folder: Path, state: Contents | None = None) -> Path:
    """A data directory with that in it."""
    put_into(f"sqlite:{folder}/fairlead.db", state or contents())
    return folder


def no_client(address: str) -> Client:
    raise AssertionError(f"nobody asks {address}")

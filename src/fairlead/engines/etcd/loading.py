"""Reading all rows, as they were at one revision, from the member in use alone.

So a server can start, and answer stale reads, while etcd has no quorum.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from msgspec import Struct

from fairlead.engines import Contents
from fairlead.engines.etcd.client import Client, check_version
from fairlead.engines.etcd.failures import CompactedError
from fairlead.engines.etcd.history import check_index
from fairlead.engines.etcd.intents import Intents, overlay
from fairlead.engines.etcd.layout import IndexMark, Layout, end_of, get, read
from fairlead.engines.etcd.marks import check_mark
from fairlead.errors import UnavailableError

__all__ = ["Loaded", "load"]

log = logging.getLogger("engine.etcd")

_PAGE_BYTES = 8 * 1024 * 1024
_FIRST_PAGE_ROWS = 1000
_RETRY_S = 0.5
_SAY_EVERY_S = 5.0
_PAGE_S = 30.0


class Loaded(Struct, frozen=True):
    """What was read, besides the rows: from here the feed goes on."""

    revision: int
    cluster: int
    index: IndexMark
    index_revision: int
    leader: Any
    """etcd's key and value of the leader; None: nobody leads."""


async def load(
    client: Client, layout: Layout, intents: Intents, seen: IndexMark
) -> tuple[Loaded, Contents]:
    """All there is, and no less than was `seen` before.

    It waits out an etcd that cannot be reached, and says so every few seconds.

    Raises:
        SettingsError: it is not to be used, damaged, or was set back.
    """
    said = 0.0
    while True:
        try:
            check_version((await client.status()).version, client.place)
            return await _load(client, layout, intents, seen)
        except CompactedError:
            continue
        except UnavailableError as error:
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                places = ", ".join(client.address.endpoints)
                log.warning("waiting for etcd at %s: %s", places, error)
            await asyncio.sleep(_RETRY_S)


async def _load(
    client: Client, layout: Layout, intents: Intents, seen: IndexMark
) -> tuple[Loaded, Contents]:
    keys = (layout.cluster, layout.index, layout.leader)
    answer = await client.txn([], [get(key, serializable=True) for key in keys], safe=True)
    cluster, index, leader = (
        next(iter(response.response_range.kvs), None) for response in answer.responses
    )
    if cluster is not None:
        check_mark(cluster.value, layout, client.address, client.place)
    mark = read(IndexMark, index.value, layout) if index is not None else IndexMark(0)
    await check_index(client, layout, mark, seen)
    revision = answer.header.revision
    loaded = Loaded(
        revision,
        answer.header.cluster_id,
        mark,
        index.mod_revision if index is not None else 0,
        leader,
    )
    rows = await _rows(client, layout, revision)
    for intent in await intents.found(revision):
        if intent.revision:
            if intent.head.replace:
                rows.clear()
            async for chunk in intents.chunks(intent, revision):
                overlay(rows, chunk)
            # Puts came last, in the order of the batch.
            rows = dict(sorted(rows.items()))
    stored = [layout.stored(key, value) for key, value in rows.items()]
    return loaded, Contents(mark.index, stored, mark.tables)


async def _rows(client: Client, layout: Layout, revision: int) -> dict[bytes, bytes]:
    """All rows by their keys, in order; pages of about the same size."""
    rows: dict[bytes, bytes] = {}
    start, end, limit = layout.rows, end_of(layout.rows), _FIRST_PAGE_ROWS
    while True:
        page = await client.range(
            start, end, limit=limit, revision=revision, serializable=True, timeout=_PAGE_S
        )
        rows.update((kv.key, kv.value) for kv in page.kvs)
        if not page.more:
            return rows
        start = page.kvs[-1].key + b"\0"
        limit = max(_PAGE_BYTES * len(page.kvs) // max(page.ByteSize(), 1), 1)

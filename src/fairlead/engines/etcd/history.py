"""Whether etcd still is what it was: somebody may have restored an earlier state of it.

An index that was seen never goes back, and what was seen at a revision never
changes, except then.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import CompactedError
from fairlead.engines.etcd.layout import IndexMark, Layout, Operation, read
from fairlead.errors import SettingsError, UnavailableError

__all__ = ["Seen", "check_history", "check_index"]

_SET_BACK = "etcd was set back to an earlier state"


class Seen(Struct, frozen=True):
    """What was so at a revision: when the index was written, and as what; and under which lease
    who led was there.

    Two histories may have the same index at the same revision, but no lease is in both.
    """

    revision: int
    index_revision: int
    index: int
    lease: int


async def check_history(client: Client, layout: Layout, header: Any, seen: Seen) -> None:
    """Look whether what was seen is so. `header` is of the member in use, as it is.

    Raises:
        CompactedError: it is not, or nobody can say so any more.
        UnavailableError: etcd does not answer, or this member is behind.
    """
    if header.revision < seen.revision:
        # This member is behind, or etcd was restored.
        now = await client.range(layout.index)
        if now.header.revision < seen.revision:
            raise CompactedError(_SET_BACK)
    try:
        keys = (layout.index, layout.leader)
        answer = await client.txn([], [_at(key, seen.revision) for key in keys], safe=True)
    except CompactedError:
        # If the index was not written since, nothing is missed.
        now = await client.range(layout.index)
        if _number(now, "mod_revision") != seen.index_revision:
            raise
        return
    index, leader = (response.response_range for response in answer.responses)
    mark = read(IndexMark, index.kvs[0].value, layout) if index.kvs else IndexMark(0)
    found = Seen(
        seen.revision,
        _number(index, "mod_revision"),
        mark.index,
        _number(leader, "lease"),
    )
    if found != seen:
        raise CompactedError(_SET_BACK)


def _at(key: bytes, revision: int) -> Operation:
    return {"request_range": {"key": key, "revision": revision, "serializable": True}}


async def check_index(client: Client, layout: Layout, mark: IndexMark, seen: IndexMark) -> None:
    """Look whether an index that the member in use has is older than the one that was seen.

    Raises:
        SettingsError: etcd was set back.
        UnavailableError: only this member is behind, or etcd does not answer.
    """
    if mark.index >= seen.index:
        return
    found = await client.range(layout.index)
    now = read(IndexMark, found.kvs[0].value, layout) if found.kvs else IndexMark(0)
    if now.index >= seen.index:
        raise UnavailableError(f"etcd at {client.place} is behind the others")
    raise SettingsError(
        f"etcd at {client.place} under {layout.text} was set back to an earlier state:"
        f" its index is {now.index}, and this server has seen {seen.index}",
        hint="save what this server knows (fairlead snapshot save -stale), then restart the"
        " servers: they go on with what etcd has",
    )


def _number(found: Any, what: str) -> int:
    """A number of a key, 0 when it is not there."""
    return int(getattr(found.kvs[0], what)) if found.kvs else 0

"""Whether etcd still is what it was: somebody may have restored an earlier state of it.

An index that was seen never goes back, and what was seen at a revision never
changes, except then.
"""

from __future__ import annotations

from typing import Any

from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import CompactedError
from fairlead.engines.etcd.layout import IndexMark, Layout, read
from fairlead.errors import SettingsError, UnavailableError

__all__ = ["check_history", "check_index"]

_SET_BACK = "etcd was set back to an earlier state"


async def check_history(
    client: Client, layout: Layout, header: Any, revision: int, index_revision: int
) -> None:
    """Look whether the index was written at `index_revision`, as far as `revision`.

    `header` is of the member in use, as it is.

    Raises:
        CompactedError: it was not, or nobody can say so any more.
        UnavailableError: etcd does not answer, or this member is behind.
    """
    if header.revision < revision:
        # This member is behind, or etcd was restored.
        now = await client.range(layout.index)
        if now.header.revision < revision:
            raise CompactedError(_SET_BACK)
    try:
        found = await client.range(layout.index, revision=revision, serializable=True)
    except CompactedError:
        # The index as it is tells less: it may have been written since.
        found = await client.range(layout.index)
        if _written(found) > revision:
            return
    if _written(found) != index_revision:
        raise CompactedError(_SET_BACK)


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


def _written(found: Any) -> int:
    return int(found.kvs[0].mod_revision) if found.kvs else 0

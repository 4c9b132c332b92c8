"""Tombstones: what was deleted, remembered for a while.

A prefix read must report a newer index when a key below it is deleted, though
no row is left to say so. Deleting a whole prefix leaves one tombstone for all.
They are reaped after a time; then the index they were reaped at stands in for
them, so that a prefix never reports a lower index than before (Consul's may).
"""

from __future__ import annotations

from fairlead.core.commands import TombstonesReap
from fairlead.core.draft import Draft, DraftTable
from fairlead.core.rows import MarkRow, TombstoneRow
from fairlead.core.state import State
from fairlead.core.table import Table

__all__ = ["REAPED", "bury", "bury_tree", "newest_under", "reap"]

REAPED = "tombstones_reaped"


def bury(draft: Draft, key: str) -> None:
    """Remember that `key` was deleted by this command."""
    draft.tombstones.put(key, TombstoneRow(key, draft.next_index))


def bury_tree(draft: Draft, prefix: str) -> None:
    """Remember that all below `prefix` was deleted by this command."""
    draft.tree_tombstones.put(prefix, TombstoneRow(prefix, draft.next_index))


def newest_under(state: State, prefix: str) -> int:
    """The newest deletion that concerns `prefix`, 0 when none is remembered."""
    newest = state.mark(REAPED)
    if state.tombstones.rows:
        newest = max(newest, _newest(state.tombstones, prefix))
    trees = state.tree_tombstones
    if trees.rows:
        newest = max(newest, _newest(trees, prefix))
        for length in range(len(prefix)):
            above = trees.rows.get(prefix[:length])
            if above is not None and above.index > newest:
                newest = above.index
    return newest


def _newest(table: Table[TombstoneRow], prefix: str) -> int:
    return max((row.index for row in table.scan(prefix)), default=0)


def reap(draft: Draft, command: TombstonesReap) -> int:
    """How many were forgotten."""
    old = draft.marks.get(REAPED)
    reaped = _reap(draft.tombstones, command) + _reap(draft.tree_tombstones, command)
    if reaped and (old is None or old.index < command.index):
        draft.marks.put(REAPED, MarkRow(REAPED, command.index))
    return reaped


def _reap(table: DraftTable[TombstoneRow], command: TombstonesReap) -> int:
    dead = []
    for key, row in table.base.rows.items():
        if row.index <= command.index:
            dead.append(key)
            if len(dead) == command.limit:
                break
    for key in dead:
        current = table.get(key)
        if current is not None and current.index <= command.index:
            table.delete(key)
    return len(dead)

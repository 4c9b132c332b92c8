"""What a batch of commands will have changed: a state with changes laid over it.

Each command of a batch sees what those before it decided, while readers still
see the state without them. A command that fails is rolled back on its own; a
batch that is not committed is dropped whole.

Invariant: `apply` puts onto the state exactly what `batch` told the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, NamedTuple, TypeVar

from sortedcontainers import SortedList

from fairlead.core.state import State
from fairlead.core.table import Table, prefix_end

__all__ = ["Change", "Draft", "DraftTable"]

R = TypeVar("R")

_ABSENT: Any = object()
# A row that a prefix delete took: the engine learns of the prefix, not of the row.
_SWEPT: Any = object()
_INDEX = ""
# Above this share of a table, deleting rows one by one costs more than sorting the rest anew.
_BULK_SHARE = 8


class Change(NamedTuple):
    """One row that differs after a batch; `row` is None when it is gone."""

    table: str
    key: str
    row: Any


class DraftTable(Generic[R]):
    """One table as the commands of a batch see it."""

    __slots__ = ("base", "draft", "joined", "order", "overlay", "swept", "touched")

    def __init__(self, draft: Draft, base: Table[R]) -> None:
        self.draft = draft
        self.base = base
        self.overlay: dict[str, Any] = {}
        self.swept: dict[str, bool] = {}
        self.touched: dict[str, int] = {}
        # Where to look for keys of the overlay; what was rolled back may still be in them.
        self.order: SortedList[str] | None = None
        self.joined: dict[Any, set[str]] | None = None

    def get(self, key: str) -> R | None:
        row = self.overlay.get(key, _ABSENT)
        if row is _ABSENT:
            return self.base.rows.get(key)
        return None if row is _SWEPT else row

    def put(self, key: str, row: R) -> None:
        self._set(key, row)

    def delete(self, key: str) -> None:
        self._set(key, None)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every row under `prefix`; how many there were."""
        keys = list(self.keys_under(prefix))
        for key in keys:
            self._set(key, _SWEPT)
        if keys:
            self.draft.note(self.swept, prefix, True)
        return len(keys)

    def keys_under(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in order."""
        if not self.overlay:
            return self.base.keys_under(prefix)
        if self.order is None:
            self.order = SortedList(self.overlay)
        keys = set(self.base.keys_under(prefix))
        for key in self.order.irange(prefix, prefix_end(prefix), (True, False)):
            if self.get(key) is None:
                keys.discard(key)
            else:
                keys.add(key)
        return iter(sorted(keys))

    def scan(self, prefix: str) -> list[R]:
        """The rows whose keys begin with `prefix`, in key order."""
        if not self.overlay:
            return self.base.scan(prefix)
        return [row for key in self.keys_under(prefix) if (row := self.get(key)) is not None]

    def group(self, value: str) -> list[str]:
        """The keys of the rows whose `group_by` value is `value`, in order."""
        group_by = self.base.group_by
        assert group_by is not None, "a table that is not grouped"
        keys = set(self.base.groups.get(value, ()))
        if self.overlay:
            keys |= self._joined(group_by).get(value, set())
            keys = {
                key for key in keys if (row := self.get(key)) is not None and group_by(row) == value
            }
        return sorted(keys)

    def _joined(self, group_by: Callable[[R], Any]) -> dict[Any, set[str]]:
        if self.joined is None:
            self.joined = {}
            for key, row in self.overlay.items():
                if row is not None and row is not _SWEPT:
                    self.joined.setdefault(group_by(row), set()).add(key)
        return self.joined

    def _set(self, key: str, row: Any) -> None:
        draft, overlay = self.draft, self.overlay
        old = overlay.get(key, _ABSENT)
        draft.journal.append((overlay, key, old))
        overlay[key] = row
        if self.order is not None and old is _ABSENT and key not in self.order:
            self.order.add(key)
        if self.joined is not None and row is not None and row is not _SWEPT:
            assert self.base.group_by is not None, "only groups are joined"
            self.joined.setdefault(self.base.group_by(row), set()).add(key)
        if self.touched.get(_INDEX) != draft.index + 1:
            draft.note(self.touched, _INDEX, draft.index + 1)


class Draft:
    """A state as the commands of a batch see it; `index` is that of the last change."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.index = state.index
        self.journal: list[tuple[dict[str, Any], str, Any]] = []
        self.kv = DraftTable(self, state.kv)
        self.tombstones = DraftTable(self, state.tombstones)
        self.tree_tombstones = DraftTable(self, state.tree_tombstones)
        self.lock_delays = DraftTable(self, state.lock_delays)
        self.sessions = DraftTable(self, state.sessions)
        self.nodes = DraftTable(self, state.nodes)
        self.services = DraftTable(self, state.services)
        self.service_indexes = DraftTable(self, state.service_indexes)
        self.checks = DraftTable(self, state.checks)
        self.events = DraftTable(self, state.events)
        self.queries = DraftTable(self, state.queries)
        self.coordinates = DraftTable(self, state.coordinates)
        self.members = DraftTable(self, state.members)
        self.wan_servers = DraftTable(self, state.wan_servers)
        self.autopilot = DraftTable(self, state.autopilot)
        self.marks = DraftTable(self, state.marks)
        found = [value for value in vars(self).values() if isinstance(value, DraftTable)]
        self.tables: list[DraftTable[Any]] = found

    @property
    def next_index(self) -> int:
        """The index of the command being decided, should it change anything."""
        return self.index + 1

    def note(self, mapping: dict[str, Any], key: str, value: Any) -> None:
        """Set one entry so that `rollback` can take it back."""
        self.journal.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def mark(self) -> int:
        """A point to `rollback` to."""
        return len(self.journal)

    def rollback(self, mark: int) -> None:
        """Take back all that was decided since `mark`."""
        journal = self.journal
        while len(journal) > mark:
            mapping, key, old = journal.pop()
            if old is _ABSENT:
                del mapping[key]
            else:
                mapping[key] = old

    def settle(self, mark: int) -> None:
        """End a command: if it changed anything since `mark`, the index is raised."""
        if len(self.journal) > mark:
            self.index += 1

    @property
    def is_empty(self) -> bool:
        return not self.journal

    def changes(self) -> Iterator[Change]:
        """Every row that differs, prefix deletes included row by row."""
        for table in self.tables:
            for key, row in table.overlay.items():
                yield Change(table.base.name, key, None if row is _SWEPT else row)

    def puts(self) -> Iterator[Change]:
        """The rows to write."""
        for table in self.tables:
            for key, row in table.overlay.items():
                if row is not None and row is not _SWEPT:
                    yield Change(table.base.name, key, row)

    def deletes(self) -> Iterator[tuple[str, str]]:
        """Table and key of the rows to delete one by one."""
        for table in self.tables:
            for key, row in table.overlay.items():
                if row is None:
                    yield table.base.name, key

    def prefix_deletes(self) -> Iterator[tuple[str, str]]:
        """Table and prefix to delete before anything is written."""
        for table in self.tables:
            for prefix in table.swept:
                yield table.base.name, prefix

    def touched(self) -> dict[str, int]:
        """The tables that differ, each with the index of its last change."""
        return {table.base.name: table.touched[_INDEX] for table in self.tables if table.overlay}

    def adopt(self, index: int, tables: dict[str, int]) -> None:
        """Take over the indexes of changes that another server has decided."""
        self.index = index
        for table in self.tables:
            if table.overlay:
                table.touched[_INDEX] = tables.get(table.base.name, index)

    def apply(self) -> None:
        """Lay the changes onto the state; only after they are committed."""
        for table in self.tables:
            if table.overlay:
                _apply(table)
                table.base.index = table.touched[_INDEX]
        self.state.index = self.index


def _apply(draft: DraftTable[Any]) -> None:
    """Lay one table's changes onto its base."""
    base = draft.base
    gone = [key for key, row in draft.overlay.items() if row is None or row is _SWEPT]
    if len(gone) * _BULK_SHARE > len(base):
        base.delete_many(gone)
    else:
        for key in gone:
            base.delete(key)
    for key, row in draft.overlay.items():
        if row is not None and row is not _SWEPT:
            base.put(key, row)

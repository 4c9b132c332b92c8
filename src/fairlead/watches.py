"""Who waits for which rows, and waking exactly those when rows change.

A waiter is added under every `Watch` its read returned and woken at most once;
it then reads again and, if it must, waits again. All that are woken by one
commit share a `Round`, in which equal questions are answered once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from fairlead.core.draft import Change
from fairlead.core.reads import Watch

__all__ = ["Round", "Waiter", "Watches"]


class Round:
    """What the waiters woken together may share: answers by question."""

    __slots__ = ("answers",)

    def __init__(self) -> None:
        self.answers: dict[Any, Any] = {}


class Waiter(Protocol):
    """Somebody who waits; `watches` is set when it is added and does not change after."""

    watches: tuple[Watch, ...]
    is_reader: bool
    """Whether a client waits, and not the agent itself."""

    def wake(self, round_: Round) -> None:
        """Read again. Called once; the waiter is no longer added anywhere."""


_Group = dict[Waiter, None]


class _TableWatches:
    """The waiters of one table, by key and by prefix."""

    __slots__ = ("keys", "lengths", "prefixes")

    def __init__(self) -> None:
        self.keys: dict[str, _Group] = {}
        self.prefixes: dict[str, _Group] = {}
        # How many prefixes of each length are waited for: a changed key is cut to these only.
        self.lengths: dict[int, int] = {}


class Watches:
    """Every waiter there is; `readers` is how many clients wait."""

    def __init__(self) -> None:
        self._tables: dict[str, _TableWatches] = {}
        self.count = 0
        self.readers = 0

    def add(self, waiter: Waiter) -> None:
        """Wake `waiter` at the next change to what it watches."""
        self.count += 1
        self.readers += waiter.is_reader
        for watch in waiter.watches:
            table, key = self._tables.get(watch.table), watch.key
            if table is None:
                table = self._tables[watch.table] = _TableWatches()
            groups = table.prefixes if watch.prefix else table.keys
            group = groups.get(key)
            if group is None:
                group = groups[key] = {}
                if watch.prefix:
                    table.lengths[len(key)] = table.lengths.get(len(key), 0) + 1
            group[waiter] = None

    def discard(self, waiter: Waiter) -> None:
        """Forget a waiter that was added."""
        self.count -= 1
        self.readers -= waiter.is_reader
        for watch in waiter.watches:
            table = self._tables.get(watch.table)
            if table is None:
                continue
            groups = table.prefixes if watch.prefix else table.keys
            group = groups.get(watch.key)
            if group is None:
                continue
            group.pop(waiter, None)
            if not group:
                del groups[watch.key]
                if watch.prefix:
                    _forget_length(table, len(watch.key))

    def wake(self, changes: Iterable[Change]) -> None:
        """Wake everyone whom one of `changes` concerns."""
        woken: _Group = {}
        for table, key, _ in changes:
            watches = self._tables.get(table)
            if watches is None:
                continue
            group = watches.keys.pop(key, None)
            if group:
                woken.update(group)
            for length in list(watches.lengths):
                group = watches.prefixes.pop(key[:length], None) if length <= len(key) else None
                if group:
                    _forget_length(watches, length)
                    woken.update(group)
        self._wake(woken)

    def wake_all(self) -> None:
        """Wake everyone, as when the whole state was replaced."""
        woken: _Group = {}
        for watches in self._tables.values():
            for groups in (watches.keys, watches.prefixes):
                for group in groups.values():
                    woken.update(group)
        self._tables.clear()
        self._wake(woken)

    def _wake(self, woken: _Group) -> None:
        """Wake those whose groups may be gone already, as a whole: most wait for one thing."""
        round_ = Round()
        for waiter in woken:
            if len(waiter.watches) == 1:
                self.count -= 1
                self.readers -= waiter.is_reader
            else:
                self.discard(waiter)
        for waiter in woken:
            waiter.wake(round_)


def _forget_length(table: _TableWatches, length: int) -> None:
    table.lengths[length] -= 1
    if not table.lengths[length]:
        del table.lengths[length]

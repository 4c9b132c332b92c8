"""What writers were told, and which states of the agent agree with it.

A writer owns a prefix and notes every write before it is sent: until the answer
comes, the write may or may not have happened, but never in part. So after a
crash exactly two states are right: without the write under way, and with it.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Change", "Indexes", "Ledger", "Row", "Tally"]


class Row(NamedTuple):
    """A key's value, and the name of the session that holds it."""

    value: str
    holder: str = ""


@dataclass(frozen=True)
class Change:
    """What one write does: rows set or (None) gone, a session begun, a session ended."""

    rows: dict[str, Row | None] = field(default_factory=dict)
    born: str = ""
    dead: str = ""


class Ledger:
    """The rows below one prefix and the sessions of one writer, as acknowledged."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.rows: dict[str, Row] = {}
        self.sessions: dict[str, str] = {}
        self.acknowledged = 0
        self.under_way = 0
        self._pending: Change | None = None

    def begin(self, change: Change) -> None:
        """Note a write that is about to be sent."""
        self._pending = change

    def acknowledge(self, session_id: str = "") -> None:
        """The write that was begun is answered for: it has happened."""
        assert self._pending is not None, "nothing was begun"
        self.acknowledged += 1
        self._apply(self._pending, session_id)
        self._pending = None

    def refuse(self) -> None:
        """The write that was begun is answered for: it has not happened."""
        self._pending = None

    def settle(self, found: Mapping[str, Row], sessions: Mapping[str, str]) -> list[str]:
        """Compare with what was found after a crash and go on from there; what is wrong.

        `found` are all rows, `sessions` the ids of all sessions by their names.
        """
        rows = {key: row for key, row in found.items() if key.startswith(self.prefix)}
        names = {name for name in sessions if name.startswith(self.prefix)}
        if self._pending is not None:
            self.under_way += 1
            pending, self._pending = self._pending, None
            without = dict(self.rows), dict(self.sessions)
            self._apply(pending, sessions.get(pending.born, ""))
            if (rows, names) == (self.rows, set(self.sessions)):
                return []
            self.rows, self.sessions = without
        wrong = []
        for key in sorted(rows.keys() | self.rows.keys()):
            if rows.get(key) != self.rows.get(key):
                wrong.append(f"{key}: {_short(rows.get(key))}, not {_short(self.rows.get(key))}")
        if names != set(self.sessions):
            wrong.append(f"sessions {sorted(names)} instead of {sorted(self.sessions)}")
        self.rows, self.sessions = rows, {name: sessions[name] for name in names}
        return wrong

    def _apply(self, change: Change, session_id: str) -> None:
        for key, row in change.rows.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        if change.born:
            self.sessions[change.born] = session_id
        self.sessions.pop(change.dead, None)


def _short(row: Row | None) -> str:
    return "nothing" if row is None else f"{row.value[:30]!r} held by {row.holder[:30]!r}"


class Tally:
    """Counters that several writers raise by compare-and-swap, each step exactly once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: Counter[str] = Counter()
        self._pending: dict[str, list[int]] = {}
        self._won: set[tuple[str, int]] = set()
        self.wrong: list[str] = []
        self.acknowledged = 0
        self.under_way = 0

    def see(self, key: str, value: int) -> None:
        """A read showed `value`: it is durable, so no later state is below it."""
        with self._lock:
            self._known[key] = max(self._known[key], value)

    def begin(self, key: str, value: int) -> None:
        with self._lock:
            self._pending.setdefault(key, []).append(value)

    def finish(self, key: str, value: int, won: bool) -> None:
        with self._lock:
            self._pending[key].remove(value)
            if not won:
                return
            self.acknowledged += 1
            if (key, value) in self._won:
                self.wrong.append(f"{key}: two writers were told that they made it {value}")
            self._won.add((key, value))
            self._known[key] = max(self._known[key], value)

    def settle(self, found: Mapping[str, Row]) -> list[str]:
        """Compare with what was found after a crash; what is wrong."""
        wrong, self.wrong = self.wrong, []
        for key in self._known.keys() | self._pending.keys():
            value = int(found[key].value) if key in found else 0
            pending = self._pending.get(key, [])
            if value != self._known[key] and not (value > self._known[key] and value in pending):
                wrong.append(f"{key}: {value} instead of {self._known[key]} (or {pending})")
            self.under_way += len(pending)
            self._known[key] = value
        self._pending.clear()
        return wrong


class Indexes:
    """The highest X-Consul-Index that each read was answered with."""

    def __init__(self) -> None:
        self.highest: Counter[str] = Counter()

    def see(self, target: str, index: int) -> list[str]:
        """What is wrong with an answer that came after all others."""
        before = self.highest[target]
        self.highest[target] = max(before, index)
        return [f"{target}: index {index} after {before}"] if index < before else []

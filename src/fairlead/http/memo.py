"""Answers kept while what they show stands.

The index of a service rises whenever anything its reads show changes, so an
answer about one service is good until then. A restore replaces the whole state:
what was kept of the one before it is forgotten. Of keys, whole lists are kept
until any key changes: that is seldom where configuration is read.
"""

from __future__ import annotations

from msgspec import Struct

from fairlead.core.directory import tags_of
from fairlead.core.overview import summaries_of
from fairlead.core.per_service import PerService
from fairlead.core.state import State
from fairlead.http.api import Found

__all__ = ["KeysMemo", "Memo"]

_LIMIT = 4096
"""Answers kept. When there are more, all are forgotten: they are cheap to make again."""
_BYTES_LIMIT = 32 * 1024 * 1024
"""What they may take together."""


class _Kept(Struct, frozen=True):
    service: str
    index: int
    found: Found


class Memo:
    """The answers one agent keeps, by what was asked."""

    __slots__ = ("_asked", "_bytes", "_kept", "_state", "summaries", "tags")

    def __init__(self) -> None:
        self._state: State | None = None
        self._kept: dict[bytes, _Kept] = {}
        self._bytes = 0
        self._asked: set[bytes] = set()
        # What reads of all services are made of.
        self.tags = PerService(tags_of)
        self.summaries = PerService(summaries_of)

    def find(self, state: State, question: bytes) -> Found | None:
        """The answer, if it still is the answer."""
        kept = self._kept.get(question)
        if kept is None or state is not self._state:
            return None
        row = state.service_indexes.rows.get(kept.service)
        return kept.found if row is not None and row.index == kept.index else None

    def keep(self, state: State, question: bytes, service: str, found: Found) -> None:
        """Keep the answer to a question about a service (its name in lower case)."""
        row = state.service_indexes.rows.get(service)
        if row is None:
            return
        if state is not self._state or len(self._kept) >= _LIMIT or self._bytes > _BYTES_LIMIT:
            self._kept.clear()
            self._bytes = 0
            self._state = state
        self._kept[question] = _Kept(service, row.index, found)
        self._bytes += len(found.read.value)

    def asked_before(self, question: bytes) -> bool:
        """Whether this was asked with `?cached` before; from now on it was."""
        if question in self._asked:
            return True
        if len(self._asked) >= _LIMIT:
            self._asked.clear()
        self._asked.add(question)
        return False


class KeysMemo:
    """Lists of keys that one agent keeps encoded, for as long as no key changes."""

    __slots__ = ("_bytes", "_index", "_kept", "_state")

    def __init__(self) -> None:
        self._state: State | None = None
        self._index = 0
        self._kept: dict[bytes, Found] = {}
        self._bytes = 0

    def find(self, state: State, question: bytes) -> Found | None:
        """The answer, if it still is the answer."""
        if state is not self._state or state.kv.index != self._index:
            return None
        return self._kept.get(question)

    def keep(self, state: State, question: bytes, found: Found) -> None:
        """Keep an answer whose value is its body."""
        size = len(found.read.value)
        if size > _BYTES_LIMIT // 8:
            return
        is_old = state is not self._state or state.kv.index != self._index
        if is_old or self._bytes + size > _BYTES_LIMIT or len(self._kept) >= _LIMIT:
            self._kept.clear()
            self._bytes = 0
            self._state, self._index = state, state.kv.index
        self._kept[question] = found
        self._bytes += size

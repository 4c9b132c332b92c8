"""Something known of every service, worked out anew only where a service has changed.

A read of all services would otherwise look at every instance each time one of
them changes. The index of a service (`core/service_indexes.py`) rises with
whatever a read of it shows, so what was worked out is good until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from fairlead.core.state import State

__all__ = ["PerService"]

T = TypeVar("T")


class PerService(Generic[T]):
    """`make` is called with the state and the name of a service in lower case."""

    __slots__ = ("_known", "_make", "_state")

    def __init__(self, make: Callable[[State, str], T]) -> None:
        self._make = make
        self._state: State | None = None
        self._known: dict[str, tuple[int, T]] = {}

    def values(self, state: State) -> Iterator[T]:
        """One for each service there is now, in no order."""
        old = self._known if state is self._state else {}
        make, marks = self._make, state.service_indexes.rows
        known: dict[str, tuple[int, T]] = {}
        for key in state.services.groups:
            entry, mark = old.get(key), marks.get(key)
            if entry is None or mark is None or entry[0] != mark.index:
                entry = (mark.index if mark is not None else 0, make(state, key))
            known[key] = entry
        self._state, self._known = state, known
        return (value for _, value in known.values())

"""What keys and locks are, in the least words that tell right answers from wrong ones.

No value is written twice, so a value stands for the version of the key that has
it, and a compare-and-swap with the index of a version for one with its value.

An op of unknown outcome that would change nothing is never taken: it would make
the search longer and explain nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.faults.history import UNKNOWN, Op

__all__ = ["Held", "Lock", "Register", "Version"]


class Version(NamedTuple):
    """A key: its value, None when it is not there; the highest index it is known to have had."""

    value: str | None
    floor: int


class Register:
    """A key. `indexes` has the `ModifyIndex` of each value that was ever read.

    What is written later has a higher index.
    """

    def __init__(self, indexes: Mapping[str, int]) -> None:
        self._indexes = indexes

    def initial(self) -> Version:
        return Version(None, 0)

    def step(self, state: Version, op: Op) -> Version | None:
        match op.kind:
            case "get":
                return state if op.value == state.value else None
            case "put":
                return self._written(state, op.value)
            case "delete":
                if op.outcome == UNKNOWN and state.value is None:
                    return None
                return Version(None, state.floor)
        assert op.kind == "cas", op.kind
        fits = op.expected == state.value
        if op.outcome == UNKNOWN:
            return self._written(state, op.value) if fits else None
        if fits != op.done:
            return None
        return self._written(state, op.value) if fits else state

    def _written(self, state: Version, value: str | None) -> Version | None:
        assert value is not None
        index = self._indexes.get(value)
        if index is None:
            return Version(value, state.floor)
        return Version(value, index) if index > state.floor else None


class Held(NamedTuple):
    """A lock: who holds it, how many have, the sessions that ended, and what it guards."""

    holder: str
    holdings: int
    ended: frozenset[str]
    data: str | None


class Lock:
    """A lock and the key it guards, which is written with `check-session` of the lock.

    A session may end at any time (`expire`, an op of unknown outcome). To be
    refused is always right for one who does not hold it: a lock-delay may run.
    """

    def initial(self) -> Held:
        return Held("", 0, frozenset(), None)

    def step(self, state: Held, op: Op) -> Held | None:
        holds = state.holder == op.session
        match op.kind:
            case "look":
                same = (op.session, op.lock_index) == (state.holder, state.holdings)
                return state if same else None
            case "data":
                return state if op.value == state.data else None
        if op.outcome != UNKNOWN and not op.done:
            return None if holds else state
        match op.kind:
            case "acquire":
                if op.session in state.ended or (state.holder and not holds):
                    return None
                if holds:
                    return None if op.outcome == UNKNOWN else state
                return state._replace(holder=op.session, holdings=state.holdings + 1)
            case "release":
                return state._replace(holder="") if holds else None
            case "fenced":
                return state._replace(data=op.value) if holds else None
        assert op.kind in ("expire", "destroy"), op.kind
        if op.outcome == UNKNOWN and not holds:
            return None
        holder = "" if holds else state.holder
        return state._replace(holder=holder, ended=state.ended | {op.session})

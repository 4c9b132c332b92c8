"""What a look-up gives: records, what they rest on, and what else must be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from fairlead.core.health import Instance
from fairlead.core.rows import QueryRow
from fairlead.core.state import State
from fairlead.core.table import Table
from fairlead.dns.records import Record
from fairlead.dns.wire import NXDOMAIN, Message

__all__ = ["NOTHING_THERE", "Answer", "Found", "Part", "QueryFinder", "no_query"]


class Found(NamedTuple):
    """What a prepared query found, in the order to answer; a `ttl` of None is the service's."""

    service: str
    instances: list[Instance]
    ttl: int | None = None
    datacenter: str = ""  # where, if it is not here
    query: QueryRow | None = None  # which looks elsewhere if nothing was found


QueryFinder: TypeAlias = Callable[[State, str, str], Found | None]
"""Executes a prepared query: the state, its name or id, the address of who asks."""


def no_query(state: State, name: str, source: str) -> Found | None:
    """The finder of an agent without prepared queries."""
    return None


@dataclass(slots=True)
class Answer:
    """The message, and for how long it is true."""

    message: Message
    rows: list[tuple[Mapping[str, Any], str, Any]] = field(default_factory=list)
    tables: list[tuple[Table[Any], int]] = field(default_factory=list)
    is_lasting: bool = True  # may be kept
    is_dated: bool = False  # holds the time of day
    is_shuffled: bool = False
    wanted: set[str] = field(default_factory=set)
    is_foreign: bool = False  # for the recursors to answer
    datacenter: str = ""  # for that one to answer
    query: QueryRow | None = None  # to be carried out elsewhere


class Part(NamedTuple):
    """What a (nested) look-up gives."""

    rcode: int = 0
    answers: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    needs_soa: bool = False
    is_truncated: bool = False


NOTHING_THERE = Part(NXDOMAIN, needs_soa=True)

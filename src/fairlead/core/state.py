"""The whole state: its tables, and the index of the last command that changed it.

Reads look at a `State`; commands are decided over a `Draft` of it
(`core/draft.py`), which is laid onto the state once the engine has committed.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from fairlead.core.rows import (
    AutopilotRow,
    CheckRow,
    CoordinateRow,
    EventRow,
    KVRow,
    LockDelayRow,
    MarkRow,
    MemberRow,
    NodeRow,
    QueryRow,
    ServiceRow,
    SessionRow,
    TombstoneRow,
)
from fairlead.core.table import Table
from fairlead.durations import parse_duration
from fairlead.errors import InvalidError

__all__ = ["RESTORED", "State"]

RESTORED = "restored"


def _node_of(row: SessionRow) -> str:
    """Nodes are found without regard to case."""
    return row.node.lower()


def _node_id(row: NodeRow) -> str:
    return row.id.lower()


def _service_name(row: ServiceRow) -> str:
    """Services too."""
    return row.service.service.lower()


def _query_name(row: QueryRow) -> str:
    """And prepared queries."""
    return row.name.lower()


def _checked(row: CheckRow) -> str:
    """Whose check it is: a node's own ones have no service."""
    return f"{row.node.lower()}\t{row.service_id.lower()}"


class State:
    """All there is to know, in memory."""

    def __init__(self) -> None:
        self.index = 0
        self._floor = 1
        self.kv = Table("kv", KVRow, group_by=attrgetter("session"))
        self.tombstones = Table("tombstones", TombstoneRow)
        self.tree_tombstones = Table("tree_tombstones", TombstoneRow)
        self.lock_delays = Table("lock_delays", LockDelayRow)
        self.sessions = Table("sessions", SessionRow, group_by=_node_of)
        self.nodes = Table("nodes", NodeRow, group_by=_node_id)
        self.services = Table("services", ServiceRow, group_by=_service_name)
        self.service_indexes = Table("service_indexes", MarkRow)
        self.checks = Table("checks", CheckRow, group_by=_checked)
        self.events = Table("events", EventRow)
        self.queries = Table("queries", QueryRow, group_by=_query_name)
        self.coordinates = Table("coordinates", CoordinateRow)
        self.members = Table("members", MemberRow)
        self.wan_servers = Table("wan_servers", MemberRow)
        self.autopilot = Table("autopilot", AutopilotRow)
        self.marks = Table("marks", MarkRow)
        found = [value for value in vars(self).values() if isinstance(value, Table)]
        self.tables: dict[str, Table[Any]] = {table.name: table for table in found}

    def mark(self, name: str) -> int:
        """The index a mark stands at, 0 when it was never set."""
        row = self.marks.rows.get(name)
        return row.index if row is not None else 0

    def check(self) -> None:
        """Call once the rows are loaded.

        Raises:
            InvalidError: a row fits its type, and yet nobody can go by it.
        """
        for session in self.sessions.rows.values():
            try:
                parse_duration(session.ttl or "0")
            except InvalidError as error:
                raise InvalidError(f'session "{session.id}": TTL: {error}') from error

    def settle(self) -> None:
        """Call once the rows are loaded: from now on no read reports less than the last restore."""
        self._floor = max(self.mark(RESTORED), 1)

    def floor(self, index: int) -> int:
        """`index` as a read may report it: never 0, never below the last restore."""
        return index if index > self._floor else self._floor

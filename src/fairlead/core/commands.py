"""Every kind of write, as a frozen record that carries its own time and ids.

Given the same state and the same command the outcome is the same, wherever and
whenever it is decided. `core/decide.py` says which rule decides which command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct

from fairlead.core.rows import (
    AutopilotRow,
    CheckRow,
    CoordinateRow,
    EventRow,
    MarkRow,
    MemberRow,
    NodeRow,
    QueryRow,
    Service,
    SessionRow,
)

__all__ = [
    "AutopilotSet",
    "CatalogDeregister",
    "CatalogRegister",
    "CheckOp",
    "Command",
    "CoordinatesUpdate",
    "EventFire",
    "KVDelete",
    "KVDeleteTree",
    "KVLock",
    "KVOp",
    "KVSet",
    "KVUnlock",
    "LockDelaysDrop",
    "LockDelaysRestart",
    "MarkSet",
    "MemberRemove",
    "MemberSet",
    "NodeOp",
    "QueryDelete",
    "QuerySet",
    "ServiceOp",
    "SessionCreate",
    "SessionDestroy",
    "TombstonesReap",
    "Txn",
    "TxnOp",
    "WanRemove",
    "WanSet",
]


class KVSet(Struct, frozen=True):
    """Write a key; with `cas`, only if it stands at that index (0: only if it is absent)."""

    key: str
    value: bytes | None
    flags: int = 0
    cas: int | None = None


class KVLock(Struct, frozen=True):
    """Write a key and hold it by `session`; `now_ns` is held against the lock-delay."""

    key: str
    value: bytes | None
    flags: int
    session: str
    now_ns: int


class KVUnlock(Struct, frozen=True):
    """Write a key and let go of it."""

    key: str
    value: bytes | None
    flags: int
    session: str


class KVDelete(Struct, frozen=True):
    """Delete a key; with `cas`, only if it stands at that index."""

    key: str
    cas: int | None = None


class KVDeleteTree(Struct, frozen=True):
    """Delete every key that begins with `prefix`."""

    prefix: str


class KVOp(Struct, frozen=True):
    """One operation of a transaction; `verb` as in `core/txn.py`."""

    verb: str
    key: str
    value: bytes | None = None
    flags: int = 0
    index: int = 0
    session: str = ""


class NodeOp(Struct, frozen=True):
    """One operation of a transaction, on a node; `verb` as in `core/txn_catalog.py`."""

    verb: str
    node: NodeRow


class ServiceOp(Struct, frozen=True):
    """One operation of a transaction, on a service."""

    verb: str
    node: str
    service: Service


class CheckOp(Struct, frozen=True):
    """One operation of a transaction, on a check."""

    verb: str
    check: CheckRow


TxnOp: TypeAlias = KVOp | NodeOp | ServiceOp | CheckOp


class Txn(Struct, frozen=True):
    """Several operations, all or none."""

    ops: Sequence[TxnOp]
    now_ns: int


class SessionCreate(Struct, frozen=True):
    """Make a session; the indexes of `session` are set when it is decided."""

    session: SessionRow


class SessionDestroy(Struct, frozen=True):
    """End a session and let go of, or delete, the keys it holds."""

    id: str
    now_ns: int


class CatalogRegister(Struct, frozen=True):
    """Put a node, one of its services and its checks into the catalog.

    With `skip_node_update` the node's row stays as it is, where there is one.
    Indexes are set when it is decided; sessions whose checks fail end at `now_ns`.
    """

    node: NodeRow
    checks: list[CheckRow] = []
    service: Service | None = None
    skip_node_update: bool = False
    now_ns: int = 0


class CatalogDeregister(Struct, frozen=True):
    """Take a service, else a check, else the whole node out of the catalog."""

    node: str
    service_id: str = ""
    check_id: str = ""
    now_ns: int = 0


class EventFire(Struct, frozen=True):
    """Add a user event; its time among the others is set when it is decided."""

    event: EventRow


class QuerySet(Struct, frozen=True):
    """Make a prepared query, or replace one (`is_new` says which is meant)."""

    query: QueryRow
    is_new: bool


class QueryDelete(Struct, frozen=True):
    """Delete a prepared query."""

    id: str


class CoordinatesUpdate(Struct, frozen=True):
    """Take over coordinates; those of nodes that are not there are dropped."""

    coordinates: list[CoordinateRow]


class MemberSet(Struct, frozen=True):
    """Note an agent of the cluster, and how it is."""

    member: MemberRow


class MemberRemove(Struct, frozen=True):
    """Forget an agent."""

    name: str


class WanSet(Struct, frozen=True):
    """Note a server of another datacenter, and how it is."""

    member: MemberRow


class WanRemove(Struct, frozen=True):
    """Forget a server of another datacenter; `name` is `node.dc`."""

    name: str


class AutopilotSet(Struct, frozen=True):
    """Set how the servers look after themselves; with `cas`, only if it stands at that index."""

    config: AutopilotRow
    cas: int | None = None


class TombstonesReap(Struct, frozen=True):
    """Forget the tombstones of deletions up to `index`, at most `limit` of each kind."""

    index: int
    limit: int


class LockDelaysRestart(Struct, frozen=True):
    """Let every lock-delay run anew from `now_ns`: the clock by which they ran is gone."""

    now_ns: int


class LockDelaysDrop(Struct, frozen=True):
    """Forget the lock-delays that are over."""

    now_ns: int


class MarkSet(Struct, frozen=True):
    """Set a mark of the state itself."""

    mark: MarkRow


Command: TypeAlias = (
    KVSet
    | KVLock
    | KVUnlock
    | KVDelete
    | KVDeleteTree
    | Txn
    | SessionCreate
    | SessionDestroy
    | CatalogRegister
    | CatalogDeregister
    | EventFire
    | QuerySet
    | QueryDelete
    | CoordinatesUpdate
    | MemberSet
    | MemberRemove
    | WanSet
    | WanRemove
    | AutopilotSet
    | TombstonesReap
    | LockDelaysRestart
    | LockDelaysDrop
    | MarkSet
)

"""The table from each kind of command to the rule that decides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fairlead.core import (
    autopilot,
    catalog,
    coordinates,
    events,
    kv,
    members,
    queries,
    sessions,
    tombstones,
    txn,
    wan,
)
from fairlead.core.commands import (
    AutopilotSet,
    CatalogDeregister,
    CatalogRegister,
    Command,
    CoordinatesUpdate,
    EventFire,
    KVDelete,
    KVDeleteTree,
    KVLock,
    KVSet,
    KVUnlock,
    LockDelaysDrop,
    LockDelaysRestart,
    MarkSet,
    MemberRemove,
    MemberSet,
    QueryDelete,
    QuerySet,
    SessionCreate,
    SessionDestroy,
    TombstonesReap,
    Txn,
    WanRemove,
    WanSet,
)
from fairlead.core.draft import Draft

__all__ = ["RULES", "decide"]


def _set_mark(draft: Draft, command: MarkSet) -> None:
    draft.marks.put(command.mark.name, command.mark)


RULES: dict[type, Callable[[Draft, Any], Any]] = {
    KVSet: kv.set_key,
    KVLock: kv.lock_key,
    KVUnlock: kv.unlock_key,
    KVDelete: kv.delete_key,
    KVDeleteTree: kv.delete_tree,
    Txn: txn.run_txn,
    SessionCreate: sessions.create_session,
    SessionDestroy: sessions.destroy_session,
    CatalogRegister: catalog.register,
    CatalogDeregister: catalog.deregister,
    CoordinatesUpdate: coordinates.update,
    EventFire: events.fire,
    QuerySet: queries.set_query,
    QueryDelete: queries.delete_query,
    MemberSet: members.set_member,
    MemberRemove: members.remove_member,
    WanSet: wan.set_server,
    WanRemove: wan.remove_server,
    AutopilotSet: autopilot.set_autopilot,
    TombstonesReap: tombstones.reap,
    LockDelaysRestart: sessions.restart_delays,
    LockDelaysDrop: sessions.drop_past_delays,
    MarkSet: _set_mark,
}


def decide(draft: Draft, command: Command) -> Any:
    """Note in `draft` what the command changes, and return its answer.

    Raises:
        FairleadError: the command is refused; the draft is as it was before.
    """
    mark = draft.mark()
    decided = False
    try:
        answer = RULES[type(command)](draft, command)
        decided = True
    finally:
        if decided:
            draft.settle(mark)
        else:
            draft.rollback(mark)
    return answer

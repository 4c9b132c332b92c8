"""The agents of the cluster: who is, who left, who failed."""

from __future__ import annotations

from fairlead.core.commands import MemberRemove, MemberSet
from fairlead.core.draft import Draft
from fairlead.core.keys import node_key
from fairlead.core.reads import Read, Watch
from fairlead.core.state import State

__all__ = [
    "ALIVE",
    "FAILED",
    "LEAVING",
    "LEFT",
    "STATUS_NAMES",
    "read_members",
    "remove_member",
    "set_member",
]

ALIVE = 1
LEAVING = 2
LEFT = 3
FAILED = 4
"""Consul's numbers for how a member is."""

STATUS_NAMES = ("none", "alive", "leaving", "left", "failed")


def set_member(draft: Draft, command: MemberSet) -> None:
    key = node_key(command.member.name)
    if draft.members.get(key) != command.member:
        draft.members.put(key, command.member)


def remove_member(draft: Draft, command: MemberRemove) -> bool:
    """Whether there was one."""
    key = node_key(command.name)
    if draft.members.get(key) is None:
        return False
    draft.members.delete(key)
    return True


def read_members(state: State) -> Read:
    """Every member, by name."""
    return Read(state.members.scan(""), state.floor(state.members.index), (Watch("members"),))

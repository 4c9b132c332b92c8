"""How the servers look after themselves: Consul's autopilot configuration, one row."""

from __future__ import annotations

from msgspec import structs

from fairlead.core.commands import AutopilotSet
from fairlead.core.draft import Draft
from fairlead.core.rows import AutopilotRow
from fairlead.core.state import State

__all__ = ["autopilot", "set_autopilot"]

_KEY = "config"
# Nobody has set anything: readers are told what was there from the beginning.
_DEFAULT = AutopilotRow(create_index=1, modify_index=1)


def set_autopilot(draft: Draft, command: AutopilotSet) -> bool:
    """Whether it was set: with `cas`, only if it stands at that index."""
    old = draft.autopilot.get(_KEY) or _DEFAULT
    if command.cas is not None and command.cas != old.modify_index:
        return False
    row = structs.replace(
        command.config, create_index=old.create_index, modify_index=draft.next_index
    )
    draft.autopilot.put(_KEY, row)
    return True


def autopilot(state: State) -> AutopilotRow:
    """The configuration."""
    return state.autopilot.rows.get(_KEY) or _DEFAULT

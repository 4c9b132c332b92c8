"""Autopilot's configuration: set, set if nobody else did, read."""

from __future__ import annotations

from fairlead.core.autopilot import autopilot
from fairlead.core.commands import AutopilotSet
from fairlead.core.decide import decide
from fairlead.core.draft import Draft
from fairlead.core.rows import AutopilotRow
from fairlead.core.state import State


def put(state: State, command: AutopilotSet) -> bool:
    draft = Draft(state)
    done: bool = decide(draft, command)
    draft.apply()
    return done


def test_there_is_one_before_anybody_has_set_it() -> None:
    found = autopilot(State())
    assert found.cleanup_dead_servers
    assert (found.max_trailing_logs, found.create_index, found.modify_index) == (250, 1, 1)


def test_it_is_set_only_if_it_stands_where_it_was_seen() -> None:
    state = State()
    state.index = 7
    assert not put(state, AutopilotSet(AutopilotRow(min_quorum=5), cas=3))
    assert put(state, AutopilotSet(AutopilotRow(min_quorum=5), cas=1))
    found = autopilot(state)
    assert (found.min_quorum, found.create_index, found.modify_index) == (5, 1, 8)
    assert not put(state, AutopilotSet(AutopilotRow(), cas=1))
    assert put(state, AutopilotSet(AutopilotRow()))
    assert autopilot(state).modify_index == 9

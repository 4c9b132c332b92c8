"""Deciding commands one by one, as the store does, without engine or loop."""

from __future__ import annotations

from typing import Any

from fairlead.core.commands import CatalogRegister, Command, SessionCreate
from fairlead.core.decide import decide
from fairlead.core.draft import Draft
from fairlead.core.keys import check_key
from fairlead.core.rows import CheckRow, NodeRow, SessionRow
from fairlead.core.state import State

__all__ = ["check_key", "node_rows", "run", "session", "state_with_node"]


def run(state: State, *commands: Command) -> Any:
    """The answer of the last command; each is applied before the next."""
    answer = None
    for command in commands:
        draft = Draft(state)
        answer = decide(draft, command)
        draft.apply()
    return answer


def node_rows(name: str = "n1", status: str = "passing") -> CatalogRegister:
    node = NodeRow("", name, "127.0.0.1", "dc1", None, None)
    check = CheckRow(name, "serfHealth", "Serf Health Status", status)
    return CatalogRegister(node, [check])


def state_with_node() -> State:
    state = State()
    run(state, node_rows())
    return state


def session(
    session_id: str = "s1",
    *,
    behavior: str = "release",
    lock_delay: int = 0,
    node: str = "n1",
    checks: list[str] | None = None,
) -> SessionCreate:
    wanted = ["serfHealth"] if checks is None else checks
    return SessionCreate(SessionRow(session_id, "", node, lock_delay, behavior, "", wanted, None))

"""A catalog in memory, and questions put to it without a socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.message

from fairlead.core.commands import CatalogRegister, Command
from fairlead.core.decide import decide
from fairlead.core.draft import Draft
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.core.state import State
from fairlead.dns import wire
from fairlead.dns.answers import Search
from fairlead.dns.names import Zones
from fairlead.dns.records import Record
from fairlead.dns.results import Answer, QueryFinder, no_query
from fairlead.dns.reverse import Reverse
from fairlead.dns.rules import Rules
from fairlead.dns.wire import Question

__all__ = ["RULES", "ask", "checked", "full", "node", "question", "registration", "shown", "write"]

RULES = Rules(Zones("consul", "alt.example"), node="n1")


def node(name: str, address: str = "10.0.0.1", meta: dict[str, str] | None = None) -> NodeRow:
    return NodeRow("", name, address, "dc1", None, meta)


def registration(
    node_name: str, address: str, service: Service | None = None, **statuses: str
) -> CatalogRegister:
    """A node with a service, and one check of that service a keyword."""
    checks = [checked(node_name, name, status, service) for name, status in statuses.items()]
    return CatalogRegister(node(node_name, address), checks, service)


def checked(node_name: str, name: str, status: str, service: Service | None) -> CheckRow:
    return CheckRow(node_name, name, name, status, service_id=service.id if service else "")


def write(state: State, *commands: Command) -> None:
    """Lay commands onto a state."""
    draft = Draft(state)
    for command in commands:
        decide(draft, command)
    draft.apply()


def full(*commands: Command) -> State:
    state = State()
    write(state, CatalogRegister(node("n1", "127.0.0.1"), []), *commands)
    return state


def question(name: str, type_: str = "A", *, is_tcp: bool = False, size: int = -1) -> Question:
    message = dns.message.make_query(name, type_)
    if size >= 0:
        message.use_edns(0, 0, size)
    found = wire.read(message.to_wire(), is_tcp=is_tcp)
    assert isinstance(found, Question)
    return found


def ask(
    state: State,
    name: str,
    type_: str = "A",
    *,
    rules: Rules = RULES,
    resolved: dict[str, list[Record]] | None = None,
    find_query: QueryFinder = no_query,
    shuffle: Callable[[list[Any]], None] = lambda items: None,
    is_tcp: bool = False,
    size: int = -1,
) -> Answer:
    """What is answered, at the second 1000."""
    return Search(
        state,
        rules,
        question(name, type_, is_tcp=is_tcp, size=size),
        now_s=1000,
        shuffle=shuffle,
        resolved=resolved or {},
        reverse=Reverse(),
        find_query=find_query,
        source="127.0.0.9",
    ).run()


def shown(asked: Question, answer: Answer) -> dns.message.Message:
    """The answer as somebody else's library reads it."""
    return dns.message.from_wire(b"\0\0" + wire.write(asked, answer.message))

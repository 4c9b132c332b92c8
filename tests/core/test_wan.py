"""`fairlead.core.wan`: which servers of other datacenters are known."""

from __future__ import annotations

from fairlead.core.commands import WanRemove, WanSet
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import MemberRow
from fairlead.core.state import State
from fairlead.core.wan import known_datacenters, servers_of
from tests.core.deciding import run


def server(name: str, status: int = ALIVE) -> MemberRow:
    return MemberRow(name, "10.0.0.1", 8302, {}, status)


def test_a_server_is_noted_once_and_forgotten() -> None:
    state = State()
    run(state, WanSet(server("n1.dc2")))
    index = state.index
    run(state, WanSet(server("n1.dc2")))
    assert state.index == index
    assert run(state, WanRemove("N1.dc2")) is True
    assert run(state, WanRemove("n1.dc2")) is False
    assert servers_of(state, "dc2") == []


def test_nodes_of_one_name_in_two_datacenters_are_two_servers() -> None:
    state = State()
    run(state, WanSet(server("n1.dc2")), WanSet(server("n1.dc3")), WanSet(server("n2.dc2")))
    assert [row.name for row in servers_of(state, "dc2")] == ["n1.dc2", "n2.dc2"]


def test_a_datacenter_whose_servers_failed_is_known_one_whose_servers_left_is_not() -> None:
    state = State()
    run(state, WanSet(server("n1.dc2", FAILED)), WanSet(server("n1.dc3", LEFT)))
    assert known_datacenters(state) == {"dc2"}

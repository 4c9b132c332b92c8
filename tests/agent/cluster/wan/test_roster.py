"""`fairlead.agent.cluster.wan.roster`: what a server makes of what others say of servers."""

from __future__ import annotations

from fairlead.agent.cluster.wan import roster
from fairlead.core.commands import MemberSet, WanRemove, WanSet
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import MemberRow
from fairlead.core.state import State
from fairlead.settings.settings import build
from tests.agent.cluster.linked import node_row
from tests.core.deciding import run


def server(name: str, status: int = ALIVE, port: int = 8302) -> MemberRow:
    return MemberRow(name, "10.0.0.1", port, {}, status)


def state_with(*rows: MemberRow) -> State:
    state = State()
    run(state, *map(WanSet, rows))
    return state


def test_a_datacenter_is_believed_about_its_own_servers() -> None:
    state = state_with(server("a.dc2"), server("b.dc2"), server("c.dc3"))
    told = [server("a.dc2", FAILED), server("d.dc2", port=9)]
    assert roster.learned(state, "dc1", "dc2", told) == [
        WanSet(server("a.dc2", FAILED)),
        WanSet(server("d.dc2", port=9)),
        WanRemove("b.dc2"),
    ]


def test_of_a_third_datacenter_only_new_servers_are_learned() -> None:
    state = state_with(server("a.dc2"), server("c.dc3"))
    told = [
        server("a.dc2"),
        server("c.dc3", FAILED),
        server("d.dc3"),
        server("e.dc3", FAILED),
        server("f.dc4", LEFT),
    ]
    assert roster.learned(state, "dc1", "dc2", told) == [WanSet(server("d.dc3"))]


def test_a_server_that_failed_has_left_when_anybody_says_so() -> None:
    state = state_with(server("a.dc2"), server("c.dc3", FAILED))
    told = [server("a.dc2"), server("c.dc3", LEFT)]
    assert roster.learned(state, "dc1", "dc2", told) == [WanSet(server("c.dc3", LEFT))]


def test_what_others_say_of_this_datacenter_is_nothing_new() -> None:
    told = [server("x.dc1"), server("without-datacenter")]
    assert roster.learned(State(), "dc1", "dc2", told) == []


def test_when_nobody_can_be_reached_those_that_lived_have_failed() -> None:
    state = state_with(server("a.dc2"), server("b.dc2", LEFT), server("c.dc3"))
    assert roster.failures(state, "dc2") == [WanSet(server("a.dc2", FAILED))]


def test_the_servers_of_this_datacenter_are_told_by_their_addresses_for_others() -> None:
    state = State()
    tags = {"role": "consul", "dc": "dc1", "wan_join_port": "9302", "wan_addr": "192.0.2.7"}
    run(
        state,
        MemberSet(MemberRow("n2", "10.0.0.2", 8301, tags, ALIVE)),
        MemberSet(MemberRow("c1", "10.0.0.3", 8301, {"role": "node"}, ALIVE)),
    )
    settings = build({"engine": "memory:", "server": True, "bind_addr": "10.0.0.1"})
    own, other = roster.own_servers(state, settings, node_row("n1"))
    assert (own.name, roster.address_of(own)) == ("n1.dc1", "10.0.0.1:8302")
    assert (other.name, roster.address_of(other)) == ("n2.dc1", "192.0.2.7:9302")
    assert other.tags == {"role": "consul", "dc": "dc1"}

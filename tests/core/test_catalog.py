"""The catalog against a model that is simple enough to be believed, and who is woken by what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fairlead.core.commands import CatalogDeregister, CatalogRegister
from fairlead.core.decide import decide
from fairlead.core.directory import (
    read_node,
    read_nodes,
    read_service,
    read_services,
    read_services_with,
    tags_of,
)
from fairlead.core.draft import Draft
from fairlead.core.health import (
    aggregated,
    is_passing,
    read_health,
    read_node_checks,
    read_state_checks,
)
from fairlead.core.overview import read_summaries, summaries_of
from fairlead.core.per_service import PerService
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.core.state import State
from fairlead.errors import InvalidError
from tests.core.deciding import run

NODES = st.sampled_from(["a", "b", "B"])
SERVICES = st.sampled_from(["web", "db"])
IDS = st.sampled_from(["1", "2"])
STATUSES = st.sampled_from(["passing", "critical"])


def register(
    node: str, service: Service | None = None, *checks: CheckRow, address: str = "x"
) -> CatalogRegister:
    return CatalogRegister(NodeRow("", node, address, "dc1", None, None), list(checks), service)


def check(check_id: str, status: str = "passing", service_id: str = "") -> CheckRow:
    return CheckRow("", check_id, check_id, status, service_id=service_id)


def woken(state: State, *commands: Any) -> set[str]:
    """The services whose readers are woken by these commands."""
    found: set[str] = set()
    for command in commands:
        draft = Draft(state)
        decide(draft, command)
        found |= {change.key for change in draft.changes() if change.table == "service_indexes"}
        draft.apply()
    return found


@pytest.fixture
def state() -> State:
    state = State()
    run(
        state,
        register("a", Service("w", "web"), check("c", service_id="w"), check("node")),
        register("a", Service("d", "db")),
        register("b", Service("w", "web")),
        register("b", Service("q", "queue")),
    )
    return state


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (register("b", Service("q", "queue", port=1)), {"queue"}),
        (register("b", Service("q", "queue")), set()),
        (register("a", None, check("c", "critical", "w")), {"web"}),
        (register("a", None, check("c", "passing", "w")), set()),
        (register("a", None, check("node", "critical")), {"web", "db"}),
        (register("a", address="y"), {"web", "db"}),
        (register("a", Service("d", "web")), {"web", "db"}),
        (CatalogDeregister("b", "q"), {"queue"}),
        (CatalogDeregister("a", check_id="node"), {"web", "db"}),
        (CatalogDeregister("a", check_id="none"), set()),
        (CatalogDeregister("b"), {"web", "queue"}),
        (register("c", Service("n", "new")), {"new"}),
    ],
)
def test_a_change_wakes_the_readers_of_what_it_shows_in_and_nobody_else(
    state: State, command: Any, names: set[str]
) -> None:
    assert woken(state, command) == names


def test_a_check_concerns_the_service_by_the_name_it_has_now(state: State) -> None:
    assert woken(state, register("a", Service("w", "renamed"))) == {"web", "renamed"}
    assert woken(state, register("a", None, check("c", "critical", "w"))) == {"renamed"}
    run(state, register("a", Service("w", "again")))
    assert woken(state, CatalogDeregister("a", check_id="c")) == {"again"}
    assert sorted(state.service_indexes.rows) == ["again", "db", "queue", "web"]


def test_a_check_that_changes_hands_concerns_those_who_had_it(state: State) -> None:
    run(state, register("a", None, check("mine")))
    everywhere = {row.service.service for row in state.services.scan("a\t")}
    assert woken(state, register("a", None, check("mine", service_id="w"))) == everywhere


def test_what_is_refused_changes_nothing(state: State) -> None:
    index = state.index
    with pytest.raises(InvalidError, match="Missing service registration"):
        run(state, register("new", Service("x", "x"), check("c", service_id="none")))
    assert state.index == index
    assert "new" not in state.nodes.rows


def test_what_is_known_of_services_is_of_the_state_that_is_asked_about(state: State) -> None:
    known = PerService(tags_of)
    assert set(read_services(state, known).value) == {"web", "db", "queue"}
    other = State()
    run(other, register("a", Service("w", "web", tags=["new"])))
    assert read_services(other, known).value == {"web": ["new"]}


def test_the_worst_check_decides_and_maintenance_is_worse_than_any() -> None:
    rows = [check("a"), check("b", "warning"), check("c", "critical"), check("_node_maintenance")]
    assert [aggregated(rows[:count]) for count in range(5)] == [
        "passing",
        "passing",
        "warning",
        "critical",
        "maintenance",
    ]


class Catalog(RuleBasedStateMachine):
    """Random registrations, held against dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State()
        self.tags, self.summaries = PerService(tags_of), PerService(summaries_of)
        self.nodes: dict[str, str] = {}
        self.services: dict[tuple[str, str], str] = {}
        self.checks: dict[tuple[str, str], tuple[str, str]] = {}

    @rule(node=NODES, name=SERVICES, service_id=IDS)
    def put_service(self, node: str, name: str, service_id: str) -> None:
        run(self.state, register(node, Service(service_id, name)))
        self.nodes[node.lower()] = node
        self.services[node.lower(), service_id] = name

    @rule(node=NODES, check_id=IDS, status=STATUSES, service_id=st.one_of(st.just(""), IDS))
    def put_check(self, node: str, check_id: str, status: str, service_id: str) -> None:
        command = register(node, None, check(check_id, status, service_id))
        if service_id and (node.lower(), service_id) not in self.services:
            with pytest.raises(InvalidError):
                run(self.state, command)
            return
        run(self.state, command)
        self.nodes[node.lower()] = node
        self.checks[node.lower(), check_id] = (status, service_id)

    @rule(node=NODES, service_id=IDS)
    def delete_service(self, node: str, service_id: str) -> None:
        run(self.state, CatalogDeregister(node, service_id))
        key = node.lower()
        self.services.pop((key, service_id), None)
        for place, (_, owner) in list(self.checks.items()):
            if place[0] == key and owner == service_id:
                del self.checks[place]

    @rule(node=NODES, check_id=IDS)
    def delete_check(self, node: str, check_id: str) -> None:
        run(self.state, CatalogDeregister(node, check_id=check_id))
        self.checks.pop((node.lower(), check_id), None)

    @rule(node=NODES)
    def delete_node(self, node: str) -> None:
        run(self.state, CatalogDeregister(node))
        key = node.lower()
        self.nodes.pop(key, None)
        self.services = {place: name for place, name in self.services.items() if place[0] != key}
        self.checks = {place: row for place, row in self.checks.items() if place[0] != key}

    @invariant()
    def nodes_are_those_of_the_model(self) -> None:
        assert [row.node.lower() for row in read_nodes(self.state, {}).value] == sorted(self.nodes)
        for key in ("a", "b"):
            found = read_node(self.state, key).value
            own = sorted(place[1] for place in self.services if place[0] == key)
            assert (found is not None) == (key in self.nodes)
            assert found is None or [service.id for service in found[1]] == own

    @invariant()
    def services_are_those_of_the_model(self) -> None:
        named = read_services(self.state, self.tags).value
        assert set(named) == set(self.services.values())
        assert named == read_services_with(self.state, {}).value
        assert (
            read_summaries(self.state, self.summaries).value
            == read_summaries(self.state, PerService(summaries_of)).value
        )
        for name in ("web", "db"):
            places = sorted(place for place, own in self.services.items() if own == name)
            flat = read_service(self.state, name, [], {}).value
            assert [(row.node.lower(), row.service_id) for row in flat] == places
            passing = [
                (row.node.node.lower(), row.service.id)
                for row in read_health(self.state, name, [], {}).value
                if is_passing(row)
            ]
            assert passing == [place for place in places if self.is_well(place)]

    def is_well(self, place: tuple[str, str]) -> bool:
        return all(
            status == "passing"
            for (node, _), (status, owner) in self.checks.items()
            if node == place[0] and owner in ("", place[1])
        )

    @invariant()
    def checks_are_those_of_the_model(self) -> None:
        for node in ("a", "b"):
            own = sorted(place[1] for place in self.checks if place[0] == node)
            assert [row.check_id for row in read_node_checks(self.state, node).value] == own
        critical = sorted(place for place, row in self.checks.items() if row[0] == "critical")
        rows = read_state_checks(self.state, "critical", {}).value
        assert [(row.node.lower(), row.check_id) for row in rows] == critical


TestCatalog = Catalog.TestCase
TestCatalog.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)

"""`fairlead.core.templates` and `fairlead.core.lookup`: which query a name means, what it finds."""

from __future__ import annotations

import pytest

from fairlead.core.commands import CatalogRegister, CoordinatesUpdate, QuerySet
from fairlead.core.lookup import execute, find_rendered
from fairlead.core.rows import (
    CheckRow,
    CoordinateRow,
    NodeRow,
    Position,
    QueryDNS,
    QueryRow,
    QueryService,
    QueryTemplate,
    Service,
)
from fairlead.core.state import State
from fairlead.core.templates import check_template, find_query, rendered
from fairlead.errors import InvalidError
from tests.core.deciding import run

PREFIX = QueryTemplate(type="name_prefix_match")


def query(
    query_id: str, name: str, service: QueryService, template: QueryTemplate | None = None
) -> QueryRow:
    template = template or QueryTemplate()
    return QueryRow(query_id, name, "", "", template, service, QueryDNS())


def state_of(*queries: QueryRow) -> State:
    state = State()
    for row in queries:
        run(state, QuerySet(row, True))
    return state


def instance(node: str, status: str, tags: list[str] | None = None) -> CatalogRegister:
    return CatalogRegister(
        NodeRow("", node, "10.0.0.1", "dc1", None, None),
        [CheckRow(node, f"check-{node}", "check", status, service_id="web")],
        Service("web", "web", tags=tags),
    )


def test_an_exact_name_goes_before_templates_and_the_longest_template_before_others() -> None:
    state = state_of(
        query("a", "", QueryService("${name.full}"), PREFIX),
        query("b", "geo-", QueryService("${name.suffix}"), PREFIX),
        query("c", "geo-db", QueryService("exact")),
    )
    found = {name: find_query(state, name) for name in ("x", "geo-x", "geo-db", "geo-db-1")}
    assert {name: row.id for name, row in found.items() if row} == {
        "x": "a",
        "geo-x": "b",
        "geo-db": "c",
        "geo-db-1": "b",
    }


def test_the_places_of_a_template_are_filled_in() -> None:
    service = QueryService(
        "${name.prefix}|${name.suffix}|${match(0)}|${match(1)}|${match(7)}|${agent.segment}",
        tags=["${match(1)}", "${match(7)}"],
        node_meta={"full": "${ name.full }"},
    )
    template = QueryTemplate("name_prefix_match", "^geo-(.*)-x$", True)
    filled = rendered(query("a", "geo-", service, template), "geo-db-x").service
    assert filled.service == "geo-|db-x|geo-db-x|db||"
    assert filled.tags == ["db"]
    assert filled.node_meta == {"full": "geo-db-x"}


@pytest.mark.parametrize(
    ("template", "service", "message"),
    [
        (QueryTemplate("bogus"), "x", "Bad Template.Type 'bogus'"),
        (QueryTemplate("name_prefix_match", "("), "x", r"Bad Regexp: .*: missing closing \): `\(`"),
        (PREFIX, "${nope}", "Bad format"),
        (QueryTemplate(regexp="x"), "x", "Bad Template.Type ''"),
    ],
)
def test_a_template_that_could_not_be_filled_in_is_refused(
    template: QueryTemplate, service: str, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        check_template(query("a", "n", QueryService(service), template))


def test_critical_instances_are_left_out_and_warnings_kept_unless_told_otherwise() -> None:
    state = state_of(query("q", "find", QueryService("web")))
    for node, status in (("n1", "passing"), ("n2", "warning"), ("n3", "critical")):
        run(state, instance(node, status))
    found = find_rendered(state, "find")
    assert found is not None
    assert [one.node.node for one in execute(state, found, "")] == ["n1", "n2"]
    strict = query("r", "strict", QueryService("web", only_passing=True))
    assert [one.node.node for one in execute(state, strict, "")] == ["n1"]
    lenient = query("s", "lenient", QueryService("web", ignore_check_ids=["check-n3"]))
    assert len(execute(state, lenient, "")) == 3


def test_tags_may_be_wanted_or_unwanted() -> None:
    state = State()
    run(state, instance("n1", "passing", ["Blue", "v1"]))
    run(state, instance("n2", "passing", ["green"]))
    wanted = query("q", "q", QueryService("web", tags=["blue"]))
    unwanted = query("q", "q", QueryService("web", tags=["!BLUE"]))
    assert [one.node.node for one in execute(state, wanted, "")] == ["n1"]
    assert [one.node.node for one in execute(state, unwanted, "")] == ["n2"]


def test_the_nearest_comes_first() -> None:
    state = State()
    for node, place in (("n1", 0.3), ("n2", 0.0), ("n3", 0.1)):
        run(state, instance(node, "passing"))
        coord = Position([place] + [0.0] * 7, 0.1, 0.0, 0.0)
        run(state, CoordinatesUpdate([CoordinateRow(node, "", coord)]))
    found = execute(state, query("q", "q", QueryService("web")), "n2")
    assert [one.node.node for one in found] == ["n2", "n3", "n1"]
    assert len(execute(state, query("q", "q", QueryService("web", near="nobody")), "")) == 3

"""`fairlead.core.filters`: predicates over rows; Consul's own answers are in the conversations."""

from __future__ import annotations

import time

import pytest
from msgspec import structs

from fairlead.core.directory import ServiceNode
from fairlead.core.filters import CHECKS, INSTANCES, NODES, SERVICE_NODES, SERVICES, compile_filter
from fairlead.core.filters.selectors import ROOTS, Each, Field, Lookup, Record
from fairlead.core.health import Instance
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.errors import InvalidError

NODE = NodeRow("id", "n1", "10.0.0.1", "dc1", None, {"env": "prod", "a-b": "c"})
PROXY = {
    "DestinationServiceName": "db",
    "Upstreams": [{"DestinationName": "x", "LocalBindPort": 3}],
    "MeshGateway": {},
    "Expose": {},
}
SERVICE = Service("web1", "web", ["v1"], port=80, proxy=PROXY, connect={"Native": True})
CHECK = CheckRow("n1", "c", "name", "passing")
ROWS = {
    NODES: NODE,
    SERVICES: SERVICE,
    CHECKS: CHECK,
    INSTANCES: Instance(NODE, SERVICE, [CHECK, structs.replace(CHECK, status="critical")]),
}


@pytest.mark.parametrize(
    ("root", "expression"),
    [
        (NODES, 'Meta["a-b"] == c and TaggedAddresses is empty and not Node == n2'),
        (NODES, "TaggedAddresses.lan != x and TaggedAddresses.lan matches x"),
        (SERVICES, "Port == 80 and v1 in Tags and Meta is empty and Kind == `` "),
        (SERVICES, "Proxy.Upstreams.LocalBindPort == 3 and Proxy.LocalServicePort == 0"),
        (SERVICES, 'Connect.Native == true and Proxy.MeshGateway.Mode == ""'),
        (SERVICES, "TaggedAddresses is empty and Weights.Passing == 1"),
        (CHECKS, "ServiceTags is empty and Status matches `^pass` and Status contains ass"),
        (INSTANCES, "Checks.Status == critical and Checks.Status == passing"),
        (INSTANCES, "Node.Meta.env == prod and Service.Port != 81 and Checks is not empty"),
    ],
)
def test_what_holds_of_a_row_is_true(root: str, expression: str) -> None:
    assert compile_filter(expression, root)(ROWS[root])
    assert not compile_filter(f"not ({expression})", root)(ROWS[root])


def _paths(field: Field) -> list[str]:
    match field:
        case Record(fields):
            return [
                f"{name}.{path}".rstrip(".")
                for name, below in fields.items()
                for path in _paths(below)
            ]
        case Each(record):
            return _paths(record)
        case Lookup(value):
            return [f"key.{path}".rstrip(".") for path in _paths(value)]
        case _:
            return [""]


@pytest.mark.parametrize("root", sorted(ROWS))
def test_every_selector_leads_somewhere(root: str) -> None:
    for path in _paths(ROOTS[root]):
        for comparison in (f'{path} == "1"', f"{path} is empty"):
            try:
                predicate = compile_filter(comparison, root)
            except InvalidError as error:
                assert "Invalid match operator" in str(error)  # noqa: PT017 (either will do)
            else:
                predicate(ROWS[root])


def test_every_selector_of_the_flat_row_is_a_field_of_it() -> None:
    names = {field.encode_name for field in structs.fields(ServiceNode)}
    assert set(ROOTS[SERVICE_NODES].fields) == names - {"CreateIndex", "ModifyIndex"}


def test_no_regular_expression_takes_long() -> None:
    predicate = compile_filter('Output matches "(a+)+$"', CHECKS)
    started = time.process_time()
    assert not predicate(structs.replace(CHECK, output="a" * 4000 + "b"))
    assert time.process_time() - started < 1


def test_an_error_says_what_failed() -> None:
    with pytest.raises(InvalidError) as caught:
        compile_filter("Nope.x == 1", NODES)
    assert (
        str(caught.value)
        == 'Failed to create boolean expression evaluator: Selector "Nope" is not valid'
    )

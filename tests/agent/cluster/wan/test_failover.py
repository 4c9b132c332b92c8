"""`fairlead.agent.cluster.wan.failover`: which datacenters a query asks, and in which order."""

from __future__ import annotations

import pytest

from fairlead.agent.cluster.wan.failover import candidates, has_failover
from fairlead.core.rows import Failover, QueryDNS, QueryRow, QueryService, QueryTemplate


def query(nearest: int, named: list[str] | None) -> QueryRow:
    service = QueryService("web", Failover(nearest, named))
    return QueryRow("i", "q", "", "", QueryTemplate(), service, QueryDNS())


@pytest.mark.parametrize(
    ("nearest", "named", "asked"),
    [
        (0, None, []),
        (2, None, ["near", "middle"]),
        (9, None, ["near", "middle", "far"]),
        (0, ["far", "unknown", "near"], ["far", "near"]),
        (1, ["far", "near"], ["near", "far"]),
        (0, ["own"], []),
    ],
)
def test_the_nearest_come_first_then_those_named_each_once(
    nearest: int, named: list[str] | None, asked: list[str]
) -> None:
    assert candidates(query(nearest, named), ["near", "middle", "far"]) == asked


def test_a_query_that_names_nobody_looks_nowhere_else() -> None:
    assert not has_failover(query(0, []))
    assert has_failover(query(1, None))
    assert has_failover(query(0, ["dc2"]))

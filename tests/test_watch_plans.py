"""What can be watched, and which answers are news."""

from __future__ import annotations

from typing import Any

import pytest

from fairlead.errors import InvalidError
from fairlead.watch_plans import TYPES, Follower, plan_of


@pytest.mark.parametrize(
    ("params", "path", "asked"),
    [
        ({"type": "key", "key": "/web/a"}, "/v1/kv/web/a", {}),
        ({"type": "keyprefix", "prefix": "web/"}, "/v1/kv/web/", {"recurse": ""}),
        ({"type": "services", "stale": True}, "/v1/catalog/services", {"stale": ""}),
        ({"type": "nodes", "datacenter": "dc2"}, "/v1/catalog/nodes", {"dc": "dc2"}),
        ({"type": "service", "service": "web"}, "/v1/health/service/web", {}),
        (
            {"type": "service", "service": "web", "tag": ["a", "b"], "passingonly": True},
            "/v1/health/service/web",
            {"tag": ["a", "b"], "passing": "1"},
        ),
        (
            {"type": "service", "service": "web", "tag": "a"},
            "/v1/health/service/web",
            {"tag": ["a"]},
        ),
        ({"type": "checks"}, "/v1/health/state/any", {}),
        ({"type": "checks", "state": "critical"}, "/v1/health/state/critical", {}),
        ({"type": "checks", "service": "web"}, "/v1/health/checks/web", {}),
        ({"type": "event"}, "/v1/event/list", {}),
        ({"type": "event", "name": "deploy"}, "/v1/event/list", {"name": "deploy"}),
    ],
)
def test_each_type_asks_its_own_question(
    params: dict[str, Any], path: str, asked: dict[str, Any]
) -> None:
    plan = plan_of(params)
    assert plan.path == path
    assert {name: value for name, value in plan.params.items() if value is not None} == asked


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({}, "Watch type must be specified"),
        ({"type": "connect_roots"}, "Unsupported watch type: connect_roots"),
        ({"type": "key"}, "Must specify a single key to watch"),
        ({"type": "keyprefix"}, "Must specify a single prefix to watch"),
        ({"type": "service"}, "Must specify a single service to watch"),
        ({"type": "checks", "service": "a", "state": "any"}, "Cannot specify service and state"),
        ({"type": "nodes", "name": "a", "key": "b"}, "Invalid parameters: [key name]"),
        ({"type": "key", "key": 5}, "Expecting key to be a string"),
        ({"type": "service", "service": "a", "passingonly": "1"}, "Expecting passingonly to be a"),
        ({"type": "service", "service": "a", "tag": 5}, "Expecting tag to be a string or []string"),
        ({"type": "service", "service": "a", "tag": ["x", 5]}, "Index 1 of tag expected to be str"),
    ],
)
def test_what_cannot_be_watched_is_said_in_consuls_words(
    params: dict[str, Any], fault: str
) -> None:
    with pytest.raises(InvalidError) as error:
        plan_of(params)
    assert str(error.value).startswith(fault)


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_there_is_a_value_too(kind: str) -> None:
    names = {"key": "key", "keyprefix": "prefix", "service": "service"}
    plan = plan_of({"type": kind, **({names[kind]: "x"} if kind in names else {})})
    expected: Any = None if kind.startswith("key") else {} if kind == "services" else []
    assert plan.value(None) == expected


def test_only_another_value_is_news_and_an_index_that_goes_back_is_asked_anew() -> None:
    follower = Follower(plan_of({"type": "services"}))
    assert follower.params["index"] is None
    assert follower.take(7, {"web": []}) == (True, {"web": []})
    assert follower.params["index"] == 7
    assert follower.take(8, {"web": []}) == (False, {"web": []})
    assert follower.take(3, {"web": []}) == (False, {"web": []})
    assert follower.params["index"] is None
    assert follower.take(3, {}) == (True, {})
    follower.forget_index()
    assert follower.params["index"] is None


def test_of_events_only_the_new_ones_are_handed_on() -> None:
    follower = Follower(plan_of({"type": "event"}))
    first, second, third = ({"ID": name} for name in "abc")
    assert follower.take(9, [first, second]) == (True, [first, second])
    assert follower.take(4, [first, second, third]) == (True, [third])
    # Their indexes have no order: a smaller one is asked with all the same.
    assert follower.params["index"] == 4
    assert follower.take(4, [first, second, third]) == (True, [])


def test_the_order_of_maps_is_no_news() -> None:
    node = {"Node": "n1", "TaggedAddresses": {"wan": "2", "lan": "1"}, "Meta": None}
    value = plan_of({"type": "nodes"}).value([node])
    assert list(value[0]["TaggedAddresses"]) == ["lan", "wan"]
    assert value[0]["Meta"] is None

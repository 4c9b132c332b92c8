"""Every conversation in `requests/` has the same answers from Consul and from Fairlead."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conversation import Scenario, comparable, parse, play
from tests.processes import ROOT, AgentProcess, consul_agent, fairlead_agent

REQUESTS = Path(__file__).parent / "requests"
SCENARIOS = [scenario for path in sorted(REQUESTS.glob("*.txt")) for scenario in parse(path)]
_LEAST_REQUESTS = 300


def _differ(their: dict[str, Any], our: dict[str, Any]) -> bool:
    """A difference that is listed must be one."""
    return their != our


def _same_words_as_400(their: dict[str, Any], our: dict[str, Any]) -> bool:
    return (their["status"], our["status"]) == (500, 400) and their["body"] == our["body"]


def _same_status(their: dict[str, Any], our: dict[str, Any]) -> bool:
    return bool(their["status"] == our["status"] and their["body"] != our["body"])


def _same_but_empty_lists(their: dict[str, Any], our: dict[str, Any]) -> bool:
    return their != our and _with_empty_lists(their) == _with_empty_lists(our)


def _with_empty_lists(value: Any, name: str = "") -> Any:
    if value is None and name in ("Tags", "ServiceTags", "Checks"):
        return []
    if isinstance(value, list):
        return [_with_empty_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_empty_lists(item, key) for key, item in value.items()}
    return value


def _refused_instead(their: dict[str, Any], our: dict[str, Any]) -> bool:
    return (their["status"], our["status"]) == (200, 400)


def _taken_instead(their: dict[str, Any], our: dict[str, Any]) -> bool:
    return (their["status"], our["status"]) == (400, 200)


DIFFERENCES = {
    "bad-number-400": _same_words_as_400,
    "client-mistake-400": _same_words_as_400,
    "empty-lists": _same_but_empty_lists,
    "duration-type": _refused_instead,
    "json-words": _same_status,
    "later-checks": _taken_instead,
    "sidecar": _refused_instead,
}


@pytest.fixture(scope="module")
def fairlead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path_factory.mktemp("fairlead"), "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[AgentProcess]:
    agent = consul_agent(consul_path, tmp_path_factory.mktemp("consul"), "-node=n1").start()
    yield agent
    agent.stop()


@pytest.mark.xdist_group("conversations")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_the_answers_are_those_of_consul(
    scenario: Scenario, consul: AgentProcess, fairlead: AgentProcess
) -> None:
    theirs = comparable(play(scenario, consul.port))
    ours = comparable(play(scenario, fairlead.port))
    wrong = []
    for step, their, our in zip(scenario.steps, theirs, ours, strict=True):
        agree = DIFFERENCES.get(step.difference, _differ) if step.difference else operator.eq
        if not agree(their, our):
            request = f"line {step.line}: {step.method} {step.target[:100]} {step.difference}"
            wrong.append(f"{request}\n  consul:   {their}\n  fairlead: {our}")
    assert not wrong, "\n".join(wrong)


def test_there_are_three_hundred_distinct_requests() -> None:
    distinct = {
        (step.method, step.target, tuple(step.headers.items()), step.body)
        for scenario in SCENARIOS
        for step in scenario.steps
    }
    assert len(distinct) >= _LEAST_REQUESTS


def test_every_difference_is_documented_and_every_documented_one_is_tested() -> None:
    used = {step.difference for scenario in SCENARIOS for step in scenario.steps}
    table = (ROOT / "docs" / "differences.md").read_text()
    documented = set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE))
    assert used - {""} == documented

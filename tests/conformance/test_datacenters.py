"""Two datacenters of Consul and two of Fairlead: the same questions to one about the other."""

from __future__ import annotations

import json
import operator
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conformance.conversation import comparable, parse, play
from tests.conformance.dns import questions
from tests.conformance.test_conversations import DIFFERENCES
from tests.processes import AgentProcess, consul_agent, fairlead_agent, free_port

pytestmark = pytest.mark.xdist_group("datacenters-conformance")

FOLDER = Path(__file__).parent / "datacenters"
SCENARIOS = parse(FOLDER / "requests.txt")
QUESTIONS = questions.parse(FOLDER / "questions.txt")
_PATIENCE_S = 30.0
_RPC = "rpc error making call: "


def _own_words(their: dict[str, Any], our: dict[str, Any]) -> bool:
    """The words without what Consul puts before them; the status that is given there."""
    return bool(their["body"] == _RPC + our["body"])


class Half(NamedTuple):
    """Two joined datacenters of one program: the server of the first, and its DNS port."""

    server: AgentProcess
    dns: int


Start = Callable[..., AgentProcess]


def joined(start: Start, folder: Path, running: list[AgentProcess]) -> Half:
    ports = [free_port() for _ in range(4)]
    for number in (1, 2):
        home = folder / f"dc{number}"
        home.mkdir()
        flags = [f"-node=n{number}", f"-datacenter=dc{number}"]
        flags += [f"-serf-wan-port={ports[number - 1]}", f"-dns-port={ports[number + 1]}"]
        running.append(start(home, *flags).start())
    first, second = running[-2:]
    join = f"{first.url}/v1/agent/join/127.0.0.1:{ports[1]}?wan=1"
    until_joined(urllib.request.Request(join, method="PUT"))
    for server in (first, second):
        until_both_are_known(server)
    return Half(first, ports[2])


def until_joined(join: urllib.request.Request) -> None:
    """On a busy machine a server may be up, and its gossip not yet."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(join):
                return
        except urllib.error.HTTPError as error:
            why = error.read()
            error.close()
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


def until_both_are_known(server: AgentProcess) -> None:
    """Consul's servers gossip for a while."""
    deadline = time.monotonic() + _PATIENCE_S
    for path in ("/v1/catalog/nodes?dc=dc1", "/v1/catalog/nodes?dc=dc2"):
        while True:
            try:
                with urllib.request.urlopen(server.url + path) as reply:
                    if json.load(reply):
                        break
            except urllib.error.HTTPError as error:
                error.close()
            assert time.monotonic() < deadline, path
            time.sleep(0.1)


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[list[Half]]:
    """Consul's and ours, after the conversations about keys, catalogs and queries."""
    running: list[AgentProcess] = []

    def consul(folder: Path, *flags: str) -> AgentProcess:
        return consul_agent(consul_path, folder, *flags)

    try:
        yield [
            joined(start, tmp_path_factory.mktemp(name), running)
            for name, start in (("consul", consul), ("fairlead", fairlead_agent))
        ]
    finally:
        for agent in running:
            agent.stop()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_the_answers_are_those_of_consul(scenario: Any, halves: list[Half]) -> None:
    theirs, ours = (comparable(play(scenario, half.server.port)) for half in halves)
    wrong = []
    for step, their, our in zip(scenario.steps, theirs, ours, strict=True):
        known = {**DIFFERENCES, "elsewhere": _own_words, "": operator.eq}
        if not known[step.difference](their, our):
            request = f"line {step.line}: {step.method} {step.target} {step.difference}"
            wrong.append(f"{request}\n  consul:   {their}\n  fairlead: {our}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_the_records_are_those_of_consul(question: questions.Question, halves: list[Half]) -> None:
    theirs, ours = (questions.ask(question, "127.0.0.1", half.dns) for half in halves)
    told = "\n".join(["consul:", *theirs.lines(), "fairlead:", *ours.lines()])
    assert ours == theirs, f"{question.text}\n{told}"


def test_the_members_are_named_alike(halves: list[Half]) -> None:
    seen = []
    for half in halves:
        with urllib.request.urlopen(f"{half.server.url}/v1/agent/members?wan=1") as reply:
            members = json.load(reply)
        seen.append(
            sorted(
                (row["Name"], row["Addr"], row["Status"], row["Tags"]["dc"], row["Tags"]["role"])
                for row in members
            )
        )
    theirs, ours = seen
    assert ours == theirs


def test_the_areas_of_coordinates_are_named_alike(halves: list[Half]) -> None:
    expected = [("dc1", "wan", ["n1"]), ("dc2", "wan", ["n2"])]
    deadline = time.monotonic() + _PATIENCE_S
    for half in halves:
        # Consul measures after a while.
        while (seen := areas(half.server)) != expected:
            assert time.monotonic() < deadline, seen
            time.sleep(0.2)


def areas(server: AgentProcess) -> list[tuple[str, str, list[str]]]:
    with urllib.request.urlopen(f"{server.url}/v1/coordinate/datacenters") as reply:
        found = json.load(reply)
    return [
        (area["Datacenter"], area["AreaID"], [row["Node"] for row in area["Coordinates"]])
        for area in found
    ]

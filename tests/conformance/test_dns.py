"""The same questions to Consul and to Fairlead, over the same catalog: the same records come."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conformance.dns.catalog import FAR, QUERIES, REGISTRATIONS, Body
from tests.conformance.dns.questions import Question, ask, parse
from tests.processes import AgentProcess, consul_agent, fairlead_agent, free_port

pytestmark = pytest.mark.xdist_group("dns-conformance")

QUESTIONS = Path(__file__).parent / "dns"
PLAIN = parse(QUESTIONS / "questions.txt")
OTHERWISE = parse(QUESTIONS / "configured.txt")
_LEAST_QUESTIONS = 300

CONFIGURED: dict[str, Any] = {
    "domain": "corp.example",
    "dns_config": {
        "node_ttl": "17s",
        "service_ttl": {"web": "5s", "*": "9s", "tw*": "11s", "twice": "13s"},
        "only_passing": True,
        "a_record_limit": 5,
        "udp_answer_limit": 6,
        "enable_truncate": True,
        "disable_compression": True,
        "enable_additional_node_meta_txt": False,
        "soa": {"refresh": 1, "retry": 2, "expire": 3, "min_ttl": 4},
    },
}


class Pair(NamedTuple):
    """Two agents with the same catalog, by the ports of their DNS."""

    consul: int
    fairlead: int


def started(agent: AgentProcess, running: list[AgentProcess]) -> AgentProcess:
    running.append(agent)
    return agent.start()


def fairlead(folder: Path, dns: int, *flags: str) -> AgentProcess:
    folder.mkdir()
    return fairlead_agent(folder, "-node=n1", f"-dns-port={dns}", *flags, dev=True)


def consul(binary: str, folder: Path, dns: int, *flags: str) -> AgentProcess:
    folder.mkdir()
    return consul_agent(binary, folder, "-node=n1", f"-dns-port={dns}", *flags)


def fill(agent: AgentProcess, registrations: list[Body], queries: list[Body]) -> None:
    for body in registrations:
        assert send(agent, "PUT", "/v1/catalog/register", body) == b"true", body
    for body in queries:
        send(agent, "POST", "/v1/query", body)


def send(agent: AgentProcess, method: str, path: str, body: Body) -> bytes:
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{agent.url}{path}", data, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        content: bytes = reply.read()
        return content.strip()


def pair(binary: str, folder: Path, config: dict[str, Any], running: list[AgentProcess]) -> Pair:
    """Both agents under one configuration, filled alike."""
    ports = Pair(free_port(), free_port())
    path = folder / "more.json"
    path.write_text(json.dumps(config))
    flag = f"-config-file={path}"
    for agent in (
        consul(binary, folder / "consul", ports.consul, flag),
        fairlead(folder / "fairlead", ports.fairlead, flag),
    ):
        fill(started(agent, running), REGISTRATIONS, QUERIES)
    return ports


def stop(running: list[AgentProcess]) -> None:
    for agent in running:
        agent.stop()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[Pair]:
    running: list[AgentProcess] = []
    config = {"alt_domain": "alt.example"}
    try:
        yield pair(consul_path, tmp_path_factory.mktemp("plain"), config, running)
    finally:
        stop(running)


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[Pair]:
    """With a recursor that is gone and, after it, a second agent of ours as one that answers."""
    running: list[AgentProcess] = []
    folder = tmp_path_factory.mktemp("configured")
    port = free_port()
    try:
        far = started(fairlead(folder / "far", port, "-domain=example.org"), running)
        fill(far, FAR, [])
        config = {**CONFIGURED, "recursors": [f"127.0.0.1:{free_port()}", f"127.0.0.1:{port}"]}
        yield pair(consul_path, folder, config, running)
    finally:
        stop(running)


def compare(question: Question, ports: Pair) -> None:
    theirs = ask(question, "127.0.0.1", ports.consul)
    ours = ask(question, "127.0.0.1", ports.fairlead)
    told = "\n".join(["consul:", *theirs.lines(), "fairlead:", *ours.lines()])
    assert ours == theirs, f"{question.text}\n{told}"


@pytest.mark.parametrize("question", PLAIN, ids=lambda question: question.text)
def test_the_records_are_those_of_consul(question: Question, plain: Pair) -> None:
    compare(question, plain)


@pytest.mark.parametrize("question", OTHERWISE, ids=lambda question: question.text)
def test_the_records_are_those_of_consul_under_other_settings(
    question: Question, configured: Pair
) -> None:
    compare(question, configured)


def test_there_are_three_hundred_distinct_questions() -> None:
    assert len({question.text for question in (*PLAIN, *OTHERWISE)}) >= _LEAST_QUESTIONS

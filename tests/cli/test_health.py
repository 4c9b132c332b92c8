"""`fairlead health`: what does not pass, and why."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead
from tests.cli.programs import running, stop
from tests.processes import AgentProcess, fairlead_agent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def address(agent: AgentProcess) -> str:
    return f"127.0.0.1:{agent.port}"


def register(client: Client, node: str, service: str, **check: str) -> None:
    body = {
        "Node": node,
        "Address": "10.0.0.1",
        "Service": {"Service": service},
        "Check": {"ServiceID": service, **check},
    }
    client.put("/v1/catalog/register", json.dumps(body).encode())


def bare(service: str) -> dict[str, Any]:
    """Without checks."""
    return {"Node": "n9", "Address": "10.0.0.9", "Service": {"Service": service}}


def test_it_says_what_does_not_pass_the_worst_first(client: Client, fairlead: Fairlead) -> None:
    assert fairlead("health") == (0, "The only check passes.\n", "")
    register(client, "n2", "web", Name="ping", Status="passing")
    assert fairlead("health") == (0, "All 2 checks pass.\n", "")
    register(client, "n2", "db", Name="disk", Status="warning", Output="90 %\nfull")
    register(client, "n3", "web", Name="ping", Status="critical", Output="refused")
    expected = """\
Node  Service  Check  Status    Output
n3    web      ping   critical  refused
n2    db       disk   warning   90 %

2 of 4 checks do not pass: 1 critical, 1 warning.
"""
    assert fairlead("health") == (2, expected, "")
    assert "db" not in fairlead("health", "-service=web").stdout
    assert fairlead("health", "-node=n2").stdout.endswith(
        "1 of 2 checks does not pass: 1 warning.\n"
    )


def test_a_name_that_is_not_registered_is_an_error(client: Client, fairlead: Fairlead) -> None:
    for name in ("web-api", "web-app", "Billing"):
        client.put("/v1/catalog/register", json.dumps(bare(name)).encode())

    def refused(flag: str) -> str:
        done = fairlead("health", flag)
        assert (done.code, done.stdout) == (1, "")
        return done.stderr

    assert refused("-service=zzz") == 'Error: no service "zzz" is registered\n'
    assert refused("-service=biling") == (
        'Error: no service "biling" is registered; did you mean "Billing"?\n'
    )
    assert refused("-service=web-ap") == (
        'Error: no service "web-ap" is registered; did you mean "web-app" or "web-api"?\n'
    )
    assert refused("-node=n") == 'Error: no node "n" is registered; did you mean "n9" or "n1"?\n'
    assert fairlead("health", "-service=nope", "-format=json").code == 1


def test_what_is_registered_without_checks_is_well(client: Client, fairlead: Fairlead) -> None:
    client.put("/v1/catalog/register", json.dumps(bare("web")).encode())
    for flag in ("-service=web", "-service=WEB", "-node=n9", "-node=N9"):
        assert fairlead("health", flag) == (0, "There are no checks.\n", "")


def test_a_service_is_no_better_than_its_node(client: Client, fairlead: Fairlead) -> None:
    register(client, "n2", "web", Name="ping", Status="passing")
    register(client, "n2", "db", Name="disk", Status="critical")
    assert fairlead("health", "-service=web") == (0, "The only check passes.\n", "")
    node = {"Node": "n2", "Address": "10.0.0.1", "Check": {"Name": "alive", "Status": "critical"}}
    client.put("/v1/catalog/register", json.dumps(node).encode())
    done = fairlead("health", "-service=web")
    assert done.code == 2
    assert done.stdout.splitlines()[1].split() == ["n2", "-", "alive", "critical"]


def test_json_is_for_programs(client: Client, fairlead: Fairlead) -> None:
    assert fairlead("health", "-format=json") == (0, "[]\n", "")
    register(client, "n3", "web", Name="ping", Status="critical", Output="<refused>")
    done = fairlead("health", "-format=json")
    assert done.code == 2
    assert [(row["Node"], row["Output"]) for row in json.loads(done.stdout)] == [
        ("n3", "<refused>")
    ]
    assert fairlead("health", "-format=xml").code == 1
    assert fairlead("health", "-node=a", "-service=b").code == 1


def test_watch_follows_every_change(client: Client, address: str, tmp_path: Path) -> None:
    with running(address, "health", "--watch", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "The only check passes.\n"
        register(client, "n3", "web", Name="ping", Status="critical", Output="refused")
        assert process.stdout.readline().split("  ")[1:] == [
            *("n3", "web", "ping"),
            "new -> critical",
            "refused\n",
        ]
        register(client, "n3", "web", Name="ping", Status="passing")
        assert "critical -> passing" in process.stdout.readline()
        assert stop(process, signal.SIGINT).code == 130


def test_watch_awaits_what_is_not_registered_yet(
    client: Client, address: str, tmp_path: Path
) -> None:
    with running(address, "health", "-service=web", "--watch", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == 'warning: no service "web" is registered\n'
        assert process.stdout.readline() == "There are no checks.\n"
        register(client, "n3", "web", Name="ping", Status="passing")
        assert "new -> passing" in process.stdout.readline()
        assert stop(process, signal.SIGINT).code == 130


def test_an_agent_that_is_not_there_is_an_error(fairlead: Fairlead) -> None:
    done = fairlead("health", "-http-addr=127.0.0.1:1")
    assert done.code == 1
    assert done.stderr.startswith("Error reading health: Get")

"""The real `consul` program as the command line of a cluster of ours: a server and a client."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.machines import eventually
from tests.cluster.agents import LEFT, Fleet, fleet_in, statuses
from tests.processes import AgentProcess

pytestmark = pytest.mark.xdist_group("clients")

_LIMIT_S = 60.0
# What the environment of whoever runs the tests must not change.
_OURS = ("CONSUL_", "FAIRLEAD_")
_UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"

Consul = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    yield from fleet_in(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def server(fleet: Fleet) -> AgentProcess:
    return fleet.server()


@pytest.fixture(scope="module")
def client(fleet: Fleet, server: AgentProcess) -> AgentProcess:
    assert server.pid
    return fleet.client("c1")


@pytest.fixture(scope="module")
def consul(consul_path: str, server: AgentProcess, client: AgentProcess) -> Consul:
    """Runs Consul's program with the server, or the agent `at`; it must end with `code`."""
    assert client.pid

    def consul(
        *words: str, at: AgentProcess = server, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [consul_path, *words],
            capture_output=True,
            text=True,
            env=environment(at),
            timeout=_LIMIT_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return consul


def environment(agent: AgentProcess) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**env, "CONSUL_HTTP_ADDR": f"127.0.0.1:{agent.port}"}


def table(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    """The cells of what was printed, with the heading."""
    return [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]


def watched(consul: Consul, kind: str, *words: str) -> Any:
    return json.loads(consul("watch", f"-type={kind}", *words).stdout)


def test_members_are_a_server_and_a_client(consul: Consul) -> None:
    heading, first, second = table(consul("members"))
    assert heading[:5] == ["Node", "Address", "Status", "Type", "Build"]
    assert [first[0], *first[2:4], first[-1]] == ["s1", "alive", "server", "<all>"]
    assert [second[0], *second[2:4], second[-1]] == ["c1", "alive", "client", "<default>"]
    assert "role=node" in consul("members", "-detailed").stdout
    assert consul("members", "-status=failed", code=2).stdout == ""


def test_the_catalog_says_the_same_at_both_agents(consul: Consul, client: AgentProcess) -> None:
    assert consul("catalog", "datacenters").stdout == "dc1\n"
    nodes = consul("catalog", "nodes")
    assert [row[0] for row in table(nodes)] == ["Node", "c1", "s1"]
    assert consul("catalog", "nodes", at=client).stdout == nodes.stdout
    assert consul("catalog", "services", at=client).stdout == "consul\n"
    assert "lan=127.0.0.1" in consul("catalog", "nodes", "-detailed").stdout
    filtered = consul("catalog", "nodes", "-filter=Node == c1")
    assert [row[0] for row in table(filtered)] == ["Node", "c1"]


def test_a_service_comes_and_goes(consul: Consul, client: AgentProcess, tmp_path: Path) -> None:
    flags = ("-name=web", "-id=web1", "-port=80", "-tag=a", "-tag=b", "-meta=owner=shop")
    done = consul("services", "register", *flags, at=client)
    assert done.stdout == "Registered service: web\n"
    assert consul("catalog", "services", "-tags").stdout.split() == ["consul", "web", "a,b"]
    assert [row[0] for row in table(consul("catalog", "nodes", "-service=web"))] == ["Node", "c1"]
    file = tmp_path / "api.json"
    file.write_text('{"service": {"name": "api", "port": 81, "check": {"ttl": "1m"}}}')
    assert (
        consul("services", "register", str(file), at=client).stdout == "Registered service: api\n"
    )
    assert consul("catalog", "services", "-node=c1").stdout == "api\nweb\n"

    done = consul("services", "deregister", "-id=web1", at=client)
    assert done.stdout == "Deregistered service: web1\n"
    assert consul("services", "deregister", str(file), at=client).stdout.endswith("api\n")
    assert consul("catalog", "services").stdout == "consul\n"
    assert "at least one argument or flag" in consul("services", "register", code=1).stderr


def test_maintenance_is_begun_listed_and_ended(consul: Consul, client: AgentProcess) -> None:
    def maint(*words: str) -> str:
        return consul("maint", *words, at=client).stdout

    assert maint("-enable", "-reason=disk") == "Node maintenance is now enabled\n"
    assert maint() == "Node:\n  Name:   c1\n  Reason: disk\n\n"
    assert maint("-disable") == "Node maintenance is now disabled\n"
    consul("services", "register", "-name=web", at=client)
    enabled = 'Service maintenance is now enabled for "web"\n'
    assert maint("-enable", "-service=web", "-reason=new") == enabled
    assert maint() == "Service:\n  ID:     web\n  Reason: new\n\n"
    assert maint("-disable", "-service=web") == enabled.replace("enabled", "disabled")
    assert maint() == ""
    consul("services", "deregister", "-id=web", at=client)
    error = consul("maint", "-enable", "-service=nope", code=1).stderr
    assert 'No service registered with ID "nope"' in error


def test_an_event_reaches_the_other_agent(consul: Consul, client: AgentProcess) -> None:
    fired = consul("event", "-name=deploy", "1.2.3", at=client).stdout
    assert re.fullmatch(f"Event ID: {_UUID}\n", fired)
    (event,) = watched(consul, "event", "-name=deploy")
    assert (event["Name"], event["Payload"]) == ("deploy", "MS4yLjM=")
    assert event["ID"] == fired.split()[-1]


def test_watches_print_what_is_there(consul: Consul, client: AgentProcess) -> None:
    consul("services", "register", "-name=web", "-port=80", "-tag=a", at=client)
    (entry,) = watched(consul, "service", "-service=web")
    assert (entry["Node"]["Node"], entry["Service"]["Port"]) == ("c1", 80)
    assert watched(consul, "service", "-service=web", "-tag=b") == []
    assert watched(consul, "services") == {"consul": [], "web": ["a"]}
    assert {node["Node"] for node in watched(consul, "nodes")} == {"c1", "s1"}
    assert {check["Status"] for check in watched(consul, "checks")} == {"passing"}
    assert watched(consul, "checks", "-state=critical") == []
    consul("services", "deregister", "-id=web", at=client)


def test_a_watch_runs_its_command_at_every_change(
    consul: Consul, consul_path: str, client: AgentProcess, tmp_path: Path
) -> None:
    log = tmp_path / "seen"
    command = [consul_path, "watch", "-type=service", "-service=seen", f"cat >> {log}"]
    with subprocess.Popen(command, env=environment(client), stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: log.exists() and log.read_text() == "[]\n", "nobody yet")
            consul("services", "register", "-name=seen", "-port=8", at=client)
            eventually(lambda: '"Port":8,' in log.read_text(), "it is seen")
            consul("services", "deregister", "-id=seen", at=client)
            eventually(lambda: log.read_text().endswith("\n[]\n"), "it is gone")
        finally:
            process.terminate()


def test_info_is_about_servers_and_clients(consul: Consul, client: AgentProcess) -> None:
    assert "\tserver = true\n" in consul("info").stdout
    assert "\tserver = false\n" in consul("info", at=client).stdout


def test_the_round_trip_between_agents_is_estimated(consul: Consul) -> None:
    def is_estimated() -> bool:
        try:
            return (
                re.fullmatch(
                    r"Estimated s1 <-> c1 rtt: [\d.]+ ms \(using LAN coordinates\)\n",
                    consul("rtt", "s1", "c1").stdout,
                )
                is not None
            )
        except AssertionError:
            return False

    eventually(is_estimated, "both coordinates are known")
    error = consul("rtt", "s1", "nope", code=1).stderr
    assert error == 'Could not find a coordinate for node "nope"\n'


def test_the_server_is_the_only_peer(consul: Consul) -> None:
    _, peer = table(consul("operator", "raft", "list-peers"))
    assert [peer[0], *peer[3:]] == ["s1", "leader", "true", "3"]


def test_a_server_is_joined_or_said_not_to_be_there(
    consul: Consul, fleet: Fleet, client: AgentProcess
) -> None:
    done = consul("join", f"127.0.0.1:{fleet.port}", at=client)
    assert done.stdout == "Successfully joined cluster by contacting 1 nodes.\n"
    done = consul("join", "127.0.0.1:1", at=client, code=1)
    assert "Failed to join 127.0.0.1: dial tcp 127.0.0.1:1" in done.stderr
    assert done.stderr.endswith("Failed to join any nodes.\n")


def test_what_was_saved_is_restored(consul: Consul, client: AgentProcess, tmp_path: Path) -> None:
    file = str(tmp_path / "all.snap")
    consul("services", "register", "-name=kept", at=client)
    assert consul("snapshot", "save", file).stdout.startswith("Saved and verified snapshot to ")
    assert consul("snapshot", "restore", file).stdout == "Restored snapshot\n"
    assert consul("catalog", "services").stdout == "consul\nkept\n"
    consul("services", "deregister", "-id=kept", at=client)


def test_an_agent_reads_its_files_again(consul: Consul, fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "one.hcl").write_text('service {\n  name = "one"\n  port = 1\n}\n')
    address = f"-join=127.0.0.1:{fleet.port}"
    agent = fleet.client("c2", address, f"-config-dir={tmp_path}")
    eventually(lambda: consul("catalog", "services").stdout == "consul\none\n", "what was there")
    (tmp_path / "two.json").write_text('{"service": {"name": "two", "port": 2}}')
    (tmp_path / "one.hcl").unlink()
    assert consul("reload", at=agent).stdout == "Configuration reload triggered\n"
    eventually(lambda: consul("catalog", "services").stdout == "consul\ntwo\n", "the other file")
    (tmp_path / "two.json").write_text('{"service": {"prot": 2}}')
    assert "invalid config key" in consul("reload", at=agent, code=1).stderr
    assert consul("leave", at=agent).stdout == "Graceful leave complete\n"
    assert agent.wait() == 0


def test_the_monitor_shows_what_is_logged(
    consul_path: str, fleet: Fleet, server: AgentProcess, tmp_path: Path
) -> None:
    log = tmp_path / "monitor"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [consul_path, "monitor", "-log-level=info"], stdout=output, env=environment(server)
        )
    try:
        # It has connected when it shows what happened meanwhile.
        agent = fleet.client("c3", f"-join=127.0.0.1:{fleet.port}")
        agent.stop()
        deadline = time.monotonic() + _LIMIT_S
        while "member left: node=c3" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            agent.start()
            agent.stop()
    finally:
        process.terminate()
        process.wait(_LIMIT_S)
    assert "[INFO]" in log.read_text()


def test_a_client_leaves_and_is_forced_to(
    consul: Consul, fleet: Fleet, server: AgentProcess
) -> None:
    address = f"-join=127.0.0.1:{fleet.port}"
    agent = fleet.client("c4", address)
    assert consul("leave", at=agent).stdout == "Graceful leave complete\n"
    assert agent.wait() == 0
    assert statuses(server)["c4"] == LEFT
    assert "c4" not in consul("catalog", "nodes").stdout
    killed = fleet.client("c5", address)
    killed.kill()
    eventually(lambda: consul_status(consul, "c5") == "failed", "it is found to have failed")
    consul("force-leave", "c5")
    assert consul_status(consul, "c5") == "left"
    consul("force-leave", "-prune", "c5")
    assert consul_status(consul, "c5") == ""
    assert "No node found with name 'nope'" in consul("force-leave", "nope", code=1).stderr


def consul_status(consul: Consul, node: str) -> str:
    """How a member is, empty when there is none of that name."""
    return next((row[2] for row in table(consul("members")) if row[0] == node), "")


def test_what_is_not_there_is_an_error_and_no_silence(consul: Consul) -> None:
    for words in (("acl", "token", "list"), ("intention", "match", "web"), ("keyring", "-list")):
        assert "404" in consul(*words, code=1).stderr

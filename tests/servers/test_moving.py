"""A single server's state into a cluster, a cluster's into a single server, while they run."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import AgentProcess, fairlead_agent, free_port
from tests.servers.supervised import Supervised
from tests.servers.trio import ask, eventually, put, value

pytestmark = [pytest.mark.xdist_group("moving"), pytest.mark.long]

_KEYS = 400


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervised]:
    three = Supervised(tmp_path_factory.mktemp("moving"))
    try:
        yield three.start()
    finally:
        three.stop()


@pytest.fixture
def single(tmp_path: Path) -> Iterator[AgentProcess]:
    """A server on its own, called as one of the cluster is, with something of every kind."""
    agent = filled(fairlead_agent(tmp_path, "-node=s1").start())
    yield agent
    agent.stop()


def filled(agent: AgentProcess) -> AgentProcess:
    for number in range(0, _KEYS, 50):
        ops = [
            {"KV": {"Verb": "set", "Key": f"k/{number + n:03d}", "Value": "djE="}}
            for n in range(50)
        ]
        assert ask(agent, "PUT", "/v1/txn", json.dumps(ops).encode()).status == 200
    session = ask(agent, "PUT", "/v1/session/create", b'{"Name":"held"}').json["ID"]
    assert ask(agent, "PUT", f"/v1/kv/lock?acquire={session}", b"x").body == b"true"
    web = {"Node": "ext", "Address": "10.9.9.9", "Service": {"Service": "web", "Port": 80}}
    assert ask(agent, "PUT", "/v1/catalog/register", json.dumps(web).encode()).status == 200
    query = {"Name": "find", "Service": {"Service": "web"}}
    assert ask(agent, "POST", "/v1/query", json.dumps(query).encode()).status == 200
    return agent


def migrate(*words: str, code: int = 0) -> tuple[dict[str, Any], str]:
    command = [sys.executable, "-m", "fairlead", "operator", "migrate", "-format=json", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout or "{}"), done.stderr


def keys(agent: AgentProcess) -> dict[str, Any]:
    rows = ask(agent, "GET", "/v1/kv/?recurse").json
    return {row["Key"]: row for row in rows}


def peers(agent: AgentProcess) -> list[str]:
    servers = ask(agent, "GET", "/v1/operator/raft/configuration").json["Servers"]
    return [server["Node"] for server in servers]


def test_a_single_server_grows_into_a_cluster_and_shrinks_again(
    single: AgentProcess, cluster: Supervised, tmp_path: Path
) -> None:
    before = keys(single)
    single.stop()
    report, _ = migrate(f"{tmp_path}/data", cluster.followers[0].url)
    assert report["Equal"]
    assert report["Running"] == ["s1", "s2", "s3"]
    assert report["Tables"]["kv"]["Target"]["Rows"] == _KEYS + 1
    for server in cluster.servers:
        assert keys(server) == before
        assert peers(server) == ["s1", "s2", "s3"]
        nodes = {row["Node"]: row for row in ask(server, "GET", "/v1/catalog/nodes").json}
        assert nodes.keys() == {"ext", "s1", "s2", "s3"}
        # The node of that name is the one that runs here.
        config = ask(server, "GET", "/v1/operator/raft/configuration").json["Servers"][0]
        assert nodes["s1"]["ID"] == config["ID"]
        assert ask(server, "GET", "/v1/query/find/execute").json["Nodes"]
    session = before["lock"]["Session"]
    assert ask(cluster.servers[0], "GET", f"/v1/session/info/{session}").json[0]["Node"] == "s1"

    put(cluster.servers[1], "after", b"2")
    back = tmp_path / "back"
    report, said = migrate(cluster.servers[2].url, str(back / "data"))
    assert report["LeftOut"] == 3
    assert "was not moved" in said
    again = fairlead_agent(back, "-node=s1").start()
    try:
        assert value(again, "after") == b"2"
        assert {key: row for key, row in keys(again).items() if key != "after"} == before
        assert peers(again) == ["s1"]
        eventually(functools.partial(_is_own, again), "its node is its own")
        assert ask(again, "GET", "/v1/operator/autopilot/health").json["Healthy"]
        assert ask(again, "GET", f"/v1/session/info/{session}").json
    finally:
        again.stop()


def _is_own(agent: AgentProcess) -> bool:
    own = ask(agent, "GET", "/v1/agent/self").json["Config"]["NodeID"]
    rows = ask(agent, "GET", "/v1/catalog/nodes").json
    return any(row["Node"] == "s1" and row["ID"] == own for row in rows)


def test_a_cluster_that_holds_something_is_left_alone_without_force(
    single: AgentProcess, cluster: Supervised
) -> None:
    put(cluster.leader, "theirs", b"1")
    _, said = migrate(single.url, cluster.leader.url, code=1)
    assert "is not empty" in said
    assert value(cluster.leader, "theirs") == b"1"
    report, _ = migrate("-force", single.url, cluster.leader.url)
    assert report["Equal"]
    assert ask(cluster.leader, "GET", "/v1/kv/theirs").status == 404


def test_a_snapshot_saved_at_one_server_is_restored_at_another(
    cluster: Supervised, tmp_path: Path
) -> None:
    follower, other = cluster.followers
    large = b"x" * 500_000
    for number in range(30):
        put(follower, f"large/{number}", large)
    archive = ask(follower, "GET", "/v1/snapshot").body
    put(cluster.leader, "late", b"1")
    index = int(ask(other, "GET", "/v1/kv/late").headers["x-consul-index"])
    assert ask(other, "PUT", "/v1/snapshot", archive).status == 200
    for server in cluster.servers:
        answer = ask(server, "GET", "/v1/kv/late")
        assert answer.status == 404
        assert int(answer.headers["x-consul-index"]) > index
        assert value(server, "large/29") == large
        assert peers(server) == ["s1", "s2", "s3"]
    # Nothing of the servers is lost with it.
    health = ask(other, "GET", "/v1/operator/autopilot/health")
    assert health.status == 200, health.json
    assert health.json["FailureTolerance"] == 1


def test_a_damaged_snapshot_changes_nothing_at_any_server(cluster: Supervised) -> None:
    put(cluster.leader, "whole", b"1")
    archive = bytearray(ask(cluster.leader, "GET", "/v1/snapshot").body)
    archive[len(archive) // 2] ^= 0xFF
    answer = ask(cluster.followers[0], "PUT", "/v1/snapshot", bytes(archive))
    assert answer.status == 400
    assert b"snapshot" in answer.body
    for server in cluster.servers:
        assert value(server, "whole") == b"1"


def test_the_snapshot_of_a_cluster_is_restored_into_a_single_server(
    cluster: Supervised, tmp_path: Path
) -> None:
    put(cluster.leader, "whole", b"1")
    archive = ask(cluster.followers[0], "GET", "/v1/snapshot").body
    agent = fairlead_agent(tmp_path, "-node=alone", f"-dns-port={free_port()}").start()
    try:
        assert ask(agent, "PUT", "/v1/snapshot", archive).status == 200
        assert value(agent, "whole") == b"1"
        assert peers(agent) == ["alone"]
        health = ask(agent, "GET", "/v1/operator/autopilot/health")
        assert (health.status, health.json["Healthy"]) == (200, True)
    finally:
        agent.stop()

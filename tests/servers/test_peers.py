"""Servers that are lost: seen, removed by an operator, replaced."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.programs import run
from tests.etcd import Etcd
from tests.servers.supervised import ServerProcess, Supervised
from tests.servers.trio import Trio, ask, eventually, put, value

pytestmark = [pytest.mark.xdist_group("peers"), pytest.mark.long]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Supervised]:
    three = Supervised(tmp_path)
    try:
        yield three.start()
    finally:
        three.stop()


def peers(server: Any) -> dict[str, dict[str, Any]]:
    rows = ask(server, "GET", "/v1/operator/raft/configuration").json["Servers"]
    return {row["Node"]: row for row in rows}


def health(server: Any) -> tuple[int, int, dict[str, bool]]:
    """Status, tolerance, and who is well."""
    answer = ask(server, "GET", "/v1/operator/autopilot/health")
    if answer.status == 500:
        return 500, 0, {}
    servers = {row["Name"]: row["Healthy"] for row in answer.json["Servers"]}
    return answer.status, answer.json["FailureTolerance"], servers


def remove(server: Any, query: str) -> tuple[int, bytes]:
    answer = ask(server, "DELETE", f"/v1/operator/raft/peer?{query}")
    return answer.status, answer.body


def test_a_lost_server_is_listed_until_it_is_removed_and_another_takes_its_place(
    cluster: Supervised,
) -> None:
    leader, (lost, other) = cluster.leader, cluster.followers
    everybody = {"s1": True, "s2": True, "s3": True}
    eventually(lambda: health(other) == (200, 1, everybody), "all are well")
    assert all(row["Voter"] for row in peers(other).values())

    # None of those that live can be removed, nor one that nobody knows.
    status, why = remove(other, f"address={lost.server_address}")
    assert (status, why) == (
        400,
        f'server "{lost.name}" is alive: stop it first, with "fairlead leave" on it'.encode(),
    )
    status, why = remove(other, f"id={peers(other)[leader.name]['ID']}")
    assert status == 400
    assert f'server "{leader.name}" leads: stop it first'.encode() in why
    status, why = remove(other, "id=nobody")
    assert (status, why) == (400, b'id "nobody" was not found in the Raft configuration')

    lost.kill()
    eventually(lambda: health(other)[0] == 429, "it is missed")
    assert health(other)[1:] == (0, {**everybody, lost.name: False})
    assert lost.name in peers(other)
    done = run(f"{other.address}:{other.port}", "operator", "autopilot", "state")
    assert done.code == 2
    assert "Failure Tolerance   0" in done.stdout

    done = run(
        f"{other.address}:{other.port}",
        *("operator", "raft", "remove-peer", f"-address={lost.server_address}"),
    )
    assert done.stdout == f'Removed peer with address "{lost.server_address}"\n', done.stderr
    for server in (leader, other):
        assert peers(server).keys() == {"s1", "s2", "s3"} - {lost.name}
        members = ask(server, "GET", "/v1/agent/members").json
        assert lost.name not in {row["Name"] for row in members}
        nodes = ask(server, "GET", "/v1/catalog/nodes").json
        assert lost.name not in {row["Node"] for row in nodes}
    assert health(other)[0] == 200
    assert remove(other, f"address={lost.server_address}")[0] == 400

    fourth = cluster.add(4)
    eventually(lambda: health(fourth)[:2] == (200, 1), "the fourth is one of them")
    put(fourth, "web", b"1")
    assert value(leader, "web") == b"1"


def test_without_a_majority_nobody_is_removed(cluster: Supervised) -> None:
    last, *lost = cluster.servers
    address = lost[0].server_address
    for server in lost:
        server.kill()
    status, why = remove(last, f"address={address}")
    assert status == 500
    # The last one may have led, and not know yet that it does not any more.
    assert b"No cluster leader" in why or b"has it a quorum?" in why
    # What is known is told all the same.
    answer = ask(last, "GET", "/v1/operator/raft/configuration?stale")
    assert {row["Node"] for row in answer.json["Servers"]} == {"s1", "s2", "s3"}
    eventually(lambda: health(last)[0] == 500, "nobody can tell how they are")


def test_a_server_that_hangs_is_not_well_until_it_goes_on(cluster: Supervised) -> None:
    hung: ServerProcess = cluster.followers[0]
    other = cluster.followers[1]
    hung.send(signal.SIGSTOP)
    try:
        eventually(lambda: health(other)[0] == 429, "it is missed")
        assert health(other)[2][hung.name] is False
    finally:
        hung.send(signal.SIGCONT)
    eventually(lambda: health(other)[0] == 200, "it is well again")


def test_a_server_that_has_left_still_counts_until_it_is_removed(cluster: Supervised) -> None:
    gone, other = cluster.followers
    assert ask(gone, "PUT", "/v1/agent/leave").status == 200
    gone.wait()
    assert gone.name in peers(other)
    assert health(other)[:2] == (429, 0)
    assert remove(other, f"address={gone.server_address}")[0] == 200
    assert peers(other).keys() == {"s1", "s2", "s3"} - {gone.name}


def test_on_an_etcd_of_others_only_the_server_is_forgotten(tmp_path: Path, etcd: Etcd) -> None:
    trio = Trio(tmp_path, etcd)
    try:
        trio.start()
        lost, other = trio.followers
        eventually(lambda: health(other)[:2] == (200, 2), "any one of them is enough")
        name = f"s{trio.servers.index(lost) + 1}"
        row = peers(other)[name]
        assert remove(other, f"id={row['ID']}")[0] == 400
        lost.kill()
        eventually(lambda: health(other)[0] == 429, "it is missed")
        eventually(functools.partial(_is_removed, other, row["ID"]), "it counts as failed")
        assert peers(other).keys() == {"s1", "s2", "s3"} - {name}
        assert health(other)[:2] == (200, 1)
        lost.start()
        eventually(lambda: name in peers(other), "it may come back")
    finally:
        trio.stop()


def _is_removed(server: Any, peer_id: str) -> bool:
    return remove(server, f"id={peer_id}")[0] == 200


def test_a_server_of_another_name_replaces_one_that_is_lost(cluster: Supervised) -> None:
    lost, other = cluster.followers
    lost.kill()
    eventually(lambda: health(other)[0] == 429, "it is missed")
    eventually(lambda: _status(other, lost.name) == "failed", "it counts as failed")
    fourth = cluster.add(4)
    assert peers(fourth).keys() == {"s1", "s2", "s3", "s4"} - {lost.name}
    eventually(lambda: _members(fourth) == peers(fourth).keys(), "the lost one is forgotten")
    assert health(fourth)[:2] == (200, 1)


def test_autopilot_s_configuration_is_the_same_at_every_server(cluster: Supervised) -> None:
    other = cluster.followers[1]
    address = f"{other.address}:{other.port}"
    off = run(address, "operator", "autopilot", "set-config", "-cleanup-dead-servers=false")
    assert off.stdout == "Configuration updated!\n"
    for server in cluster.servers:
        answer = ask(server, "GET", "/v1/operator/autopilot/configuration")
        assert answer.json["CleanupDeadServers"] is False
        assert answer.json["MaxTrailingLogs"] == 250


def _members(server: Any) -> set[str]:
    return {row["Name"] for row in ask(server, "GET", "/v1/agent/members").json}


def _status(server: Any, name: str) -> str:
    answer = ask(server, "GET", "/v1/operator/autopilot/health")
    status: str = {row["Name"]: row["SerfStatus"] for row in answer.json["Servers"]}[name]
    return status

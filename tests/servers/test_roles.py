"""Three servers on one etcd: what a client of any of them relies on while nothing fails."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.etcd import Etcd
from tests.processes import AgentProcess
from tests.servers.trio import Answer, Trio, ask, eventually, put, value

pytestmark = pytest.mark.xdist_group("servers")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory, etcd: Etcd) -> Iterator[Trio]:
    folder: Path = tmp_path_factory.mktemp("roles")
    trio = Trio(folder, etcd)
    try:
        yield trio.start()
    finally:
        trio.stop()


def test_every_server_names_the_same_leader_and_peers(three: Trio) -> None:
    leaders = {ask(server, "GET", "/v1/status/leader").json for server in three.servers}
    assert len(leaders) == 1
    for server in three.servers:
        peers = ask(server, "GET", "/v1/status/peers").json
        assert peers == [f"127.0.0.1:{port}" for port in three.ports]
        members = ask(server, "GET", "/v1/agent/members").json
        assert [(row["Name"], row["Status"]) for row in members] == [
            ("s1", 1),
            ("s2", 1),
            ("s3", 1),
        ]
        servers = ask(server, "GET", "/v1/operator/raft/configuration").json["Servers"]
        assert [row["Leader"] for row in servers].count(True) == 1
        health = ask(server, "GET", "/v1/operator/autopilot/health").json
        assert (health["Healthy"], health["FailureTolerance"]) == (True, 2)
    stats = [ask(server, "GET", "/v1/agent/self").json["Stats"] for server in three.servers]
    assert sorted(one["raft"]["state"] for one in stats) == ["Follower", "Follower", "Leader"]


def test_what_is_written_through_any_server_is_read_through_every_other_at_once(
    three: Trio,
) -> None:
    for round_ in range(20):
        for writer in three.servers:
            text = f"{round_} {writer.port}".encode()
            put(writer, "seen", text)
            for reader in three.servers:
                assert value(reader, "seen") == text
                assert value(reader, "seen", "raw&consistent") == text


def test_a_stale_read_sees_what_was_written_through_the_same_server(three: Trio) -> None:
    for round_ in range(50):
        for server in three.servers:
            put(server, f"own/{server.port}", str(round_).encode())
            assert value(server, f"own/{server.port}", "raw&stale") == str(round_).encode()


def test_metrics_say_who_leads_and_how_long_ago_it_was_heard_of(three: Trio) -> None:
    def figures(server: AgentProcess) -> dict[str, float]:
        text = ask(server, "GET", "/v1/agent/metrics?format=prometheus").body.decode()
        lines = [line.split() for line in text.splitlines() if not line.startswith("#")]
        # Gauges have the host's name in theirs.
        return {name.rpartition("consul_")[2].split("{")[0]: float(value) for name, value in lines}

    def leads(server: AgentProcess) -> float:
        seen = figures(server)
        return next(value for name, value in seen.items() if name.endswith("server_isLeader"))

    assert [leads(three.leader), *(leads(one) for one in three.followers)] == [1, 0, 0]
    assert figures(three.leader)["raft_state_leader"] >= 1
    for follower in three.followers:
        assert figures(follower)["raft_leader_changes"] >= 1
        assert figures(follower)["raft_leader_lastContact_count"] >= 1
        assert figures(follower)["raft_leader_lastContact_sum"] < 60_000


def test_a_stale_read_says_how_old_it_may_be(three: Trio) -> None:
    put(three.leader, "age", b"1")
    for follower in three.followers:
        answer = ask(follower, "GET", "/v1/kv/age?stale")
        assert answer.headers["x-consul-knownleader"] == "true"
        assert 0 <= int(answer.headers["x-consul-lastcontact"]) < 5000
    answer = ask(three.leader, "GET", "/v1/kv/age?stale")
    assert answer.headers["x-consul-lastcontact"] == "0"


def test_indexes_are_the_same_everywhere(three: Trio) -> None:
    put(three.followers[0], "index/a", b"1")
    found = {
        ask(server, "GET", path).headers["x-consul-index"]
        for server in three.servers
        for path in ("/v1/kv/index/a", "/v1/kv/index/?keys")
    }
    assert len(found) == 1
    nodes = {
        ask(one, "GET", "/v1/catalog/nodes").headers["x-consul-index"] for one in three.servers
    }
    assert len(nodes) == 1


def test_a_compare_and_swap_is_decided_once_wherever_it_goes(three: Trio) -> None:
    put(three.leader, "cas", b"0")
    index = ask(three.leader, "GET", "/v1/kv/cas").json[0]["ModifyIndex"]
    answers = [ask(server, "PUT", f"/v1/kv/cas?cas={index}", b"1").body for server in three.servers]
    assert sorted(answers) == [b"false", b"false", b"true"]


def test_a_blocking_read_at_a_follower_wakes_with_the_leaders_commit(three: Trio) -> None:
    put(three.leader, "watched", b"0")
    follower = three.followers[0]
    delays = []
    for round_ in range(5):
        index = ask(follower, "GET", "/v1/kv/watched").headers["x-consul-index"]
        woken: list[tuple[float, Answer]] = []

        def wait(index: str = index, woken: list[tuple[float, Answer]] = woken) -> None:
            answer = ask(follower, "GET", f"/v1/kv/watched?raw&index={index}&wait=20s")
            woken.append((time.monotonic(), answer))

        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.1)
        put(three.leader, "watched", str(round_ + 1).encode())
        written = time.monotonic()
        waiter.join()
        assert woken[0][1].body == str(round_ + 1).encode()
        delays.append(woken[0][0] - written)
    assert min(delays) < 1, "it was woken, and did not wait for its time to be over"


def test_sessions_and_locks_are_the_same_at_every_server(three: Trio) -> None:
    one, two = three.followers
    body = json.dumps({"TTL": "30s", "LockDelay": "0s", "Name": "t"}).encode()
    session = ask(one, "PUT", "/v1/session/create", body).json["ID"]
    other = ask(two, "PUT", "/v1/session/create", body).json["ID"]
    assert ask(two, "PUT", f"/v1/kv/lock?acquire={session}", b"x").json is True
    assert ask(one, "PUT", f"/v1/kv/lock?acquire={other}", b"y").json is False
    assert ask(two, "PUT", f"/v1/session/renew/{session}").json[0]["ID"] == session
    assert ask(one, "PUT", f"/v1/session/destroy/{session}").json is True
    assert ask(one, "PUT", f"/v1/kv/lock?acquire={other}", b"y").json is True


def test_a_service_registered_at_one_server_is_found_through_the_dns_of_another(
    three: Trio,
) -> None:
    body = json.dumps({"Name": "web", "Port": 80, "Address": "10.0.0.9"}).encode()
    assert ask(three.servers[0], "PUT", "/v1/agent/service/register", body).status == 200

    def found() -> bool:
        question = dns.message.make_query("web.service.consul", "A")
        answers = [dns.query.udp(question, "127.0.0.1", 5, port) for port in three.dns]
        return all("10.0.0.9" in str(answer.answer) for answer in answers)

    eventually(found, "all three answer")


def test_a_snapshot_restored_at_one_server_is_the_state_of_all(three: Trio) -> None:
    put(three.leader, "kept", b"1")
    follower = three.followers[0]
    archive = ask(follower, "GET", "/v1/snapshot").body
    put(three.leader, "kept", b"2")
    assert ask(follower, "PUT", "/v1/snapshot", archive).status == 200
    for server in three.servers:
        assert value(server, "kept") == b"1"
    put(follower, "kept", b"3")
    for server in three.servers:
        three.follows(server, "kept", b"3")


def test_an_event_fired_at_one_server_reaches_every_other(three: Trio) -> None:
    assert ask(three.followers[0], "PUT", "/v1/event/fire/deploy", b"x").status == 200
    for server in three.servers:
        eventually(functools.partial(_has_event, server), "the event")


def _has_event(server: AgentProcess) -> bool:
    return b"deploy" in ask(server, "GET", "/v1/event/list").body

"""Three servers on one etcd: what holds while servers die, freeze and come back."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.etcd import Etcd
from tests.processes import AgentProcess
from tests.servers.trio import Trio, ask, eventually, put, value

pytestmark = [pytest.mark.xdist_group("servers"), pytest.mark.long]


def session_of(server: AgentProcess, **fields: str) -> str:
    body = json.dumps({"LockDelay": "0s", **fields}).encode()
    found: str = ask(server, "PUT", "/v1/session/create", body).json["ID"]
    return found


def test_when_the_leader_is_killed_another_one_leads_and_nothing_is_lost(trio: Trio) -> None:
    for number in range(50):
        put(trio.servers[number % 3], f"k/{number}", str(number).encode())
    leader, (one, two) = trio.leader, trio.followers
    session = session_of(one, TTL="20s")
    assert ask(one, "PUT", f"/v1/kv/lock?acquire={session}", b"mine").json is True
    leader.kill()
    assert value(two, "k/1", "raw&stale") == b"1", "stale reads go on"
    # A write waits for the new leader; it may have been under way to the old one, but once.
    eventually(lambda: ask(one, "PUT", "/v1/kv/after", b"1").status == 200, "a write")
    trio.settled(one, two)
    for number in range(50):
        assert value(two, f"k/{number}") == str(number).encode()
    other = session_of(two, TTL="20s")
    assert ask(two, "PUT", f"/v1/kv/lock?acquire={other}", b"theirs").json is False
    assert ask(two, "PUT", f"/v1/session/renew/{session}").status == 200
    leader.start()
    trio.settled()
    assert value(leader, "after") == b"1"


def test_the_member_that_died_is_seen_to_have_failed(trio: Trio) -> None:
    dead = trio.followers[0]
    name = ask(dead, "GET", "/v1/agent/self").json["Config"]["NodeName"]
    dead.kill()
    alive = [server for server in trio.servers if server is not dead]

    def failed() -> bool:
        members = ask(alive[0], "GET", "/v1/agent/members").json
        checks = ask(alive[1], "GET", f"/v1/health/node/{name}").json
        statuses = {row["Name"]: row["Status"] for row in members}
        return (statuses[name], checks[0]["Status"]) == (4, "critical")

    eventually(failed, "its member and its health")


def test_a_leader_that_was_frozen_never_answers_from_its_old_memory(trio: Trio) -> None:
    put(trio.leader, "x", b"old")
    leader, (one, _) = trio.leader, trio.followers
    leader.send(signal.SIGSTOP)
    eventually(lambda: ask(one, "PUT", "/v1/kv/x", b"new").status == 200, "a new leader")
    leader.send(signal.SIGCONT)
    for _ in range(20):
        answer = ask(leader, "GET", "/v1/kv/x?raw")
        assert answer.status == 500 or answer.body == b"new"
    swap = ask(leader, "PUT", "/v1/kv/x?cas=1", b"never")
    assert swap.status == 500 or swap.body == b"false"
    trio.settled()


def test_a_lock_delay_outlives_the_leader_that_began_it(trio: Trio) -> None:
    server = trio.followers[0]
    body = json.dumps({"LockDelay": "6s", "TTL": "30s"}).encode()
    holder = ask(server, "PUT", "/v1/session/create", body).json["ID"]
    assert ask(server, "PUT", f"/v1/kv/lock?acquire={holder}", b"1").json is True
    ask(server, "PUT", f"/v1/session/destroy/{holder}")
    began = time.monotonic()
    old = trio.leader
    old.kill()
    alive = [one for one in trio.servers if one is not old]
    trio.settled(*alive)
    other = session_of(alive[0], TTL="30s")
    while ask(alive[0], "PUT", f"/v1/kv/lock?acquire={other}", b"2").json is not True:
        assert time.monotonic() < began + 20
        time.sleep(0.05)
    assert time.monotonic() - began >= 6


def test_a_session_that_nobody_renews_is_ended_by_the_next_leader(
    tmp_path: Path, etcd: Etcd
) -> None:
    trio = Trio(tmp_path, etcd)
    for server in trio.servers:
        server.command.append('-hcl=session_ttl_min = "1s"')
    try:
        trio.start()
        session = session_of(trio.followers[0], TTL="1s")
        leader = trio.leader
        leader.kill()
        alive = [one for one in trio.servers if one is not leader]
        trio.settled(*alive)

        def ended() -> bool:
            return ask(alive[0], "GET", f"/v1/session/info/{session}").body == b"[]"

        eventually(ended, "the session")
    finally:
        trio.stop()


def test_a_leader_that_is_stopped_hands_over_at_once(trio: Trio) -> None:
    leader, (one, two) = trio.leader, trio.followers
    leader.stop()
    began = time.monotonic()
    put(one, "x", b"1")
    assert time.monotonic() - began < 2.5, "nobody waited for its lease to end"
    trio.settled(one, two)


def test_a_server_that_leaves_is_out_of_the_catalog(trio: Trio) -> None:
    leader, (one, two) = trio.leader, trio.followers
    name = ask(leader, "GET", "/v1/agent/self").json["Config"]["NodeName"]
    assert ask(leader, "PUT", "/v1/agent/leave").status == 200
    assert leader.wait() == 0
    trio.settled(one, two)

    def gone() -> bool:
        return name not in str(ask(one, "GET", "/v1/catalog/nodes").json)

    eventually(gone, "its node")
    health = ask(two, "GET", "/v1/operator/autopilot/health").json
    assert len(health["Servers"]) == 2


def test_without_etcd_stale_reads_go_on_and_writes_are_refused(tmp_path: Path) -> None:
    own = Etcd().start()
    trio = Trio(tmp_path, own)
    try:
        trio.start()
        put(trio.leader, "x", b"1")
        for server in trio.servers:
            trio.follows(server, "x", b"1")
        own.kill()
        for server in trio.servers:
            assert value(server, "x", "raw&stale") == b"1"
        # Each waits a while for a leader, all at the same time.
        with ThreadPoolExecutor() as pool:
            writes = pool.map(lambda server: ask(server, "PUT", "/v1/kv/x", b"2"), trio.servers)
            assert {write.status for write in writes} == {500}
            # The lease of the leader there was has ended meanwhile.
            for read in pool.map(lambda server: ask(server, "GET", "/v1/kv/x"), trio.servers):
                assert (read.status, read.body) == (500, b"No cluster leader")
        for server in trio.servers:
            assert value(server, "x", "raw&stale") == b"1"
        own.start()
        trio.settled()
        put(trio.servers[0], "x", b"3")
        assert value(trio.servers[1], "x") == b"3"
    finally:
        trio.stop()
        own.remove()


def test_when_etcd_is_set_back_the_servers_keep_what_they_know_until_they_are_restarted(
    tmp_path: Path,
) -> None:
    own = Etcd().start()
    trio = Trio(tmp_path, own)
    file = tmp_path / "snapshot"
    try:
        trio.start()
        put(trio.leader, "x", b"old")
        own.ctl("snapshot", "save", str(file))
        for number in range(20):
            put(trio.leader, "x", f"new {number}".encode())
        for server in trio.servers:
            trio.follows(server, "x", b"new 19")
        own.kill()
        own.restore(file)
        own.start()
        for server in trio.servers:
            eventually(lambda log=server.log: "was set back to" in log.read_text(), "its log")  # type: ignore[misc]
            answer = ask(server, "GET", "/v1/kv/x")
            assert (answer.status, answer.body) == (500, b"No cluster leader")
            assert value(server, "x", "raw&stale") == b"new 19"
            assert ask(server, "GET", "/v1/snapshot?stale").status == 200
        for server in trio.servers:
            server.kill()
        for server in trio.servers:
            server.start()
        trio.settled()
        assert value(trio.servers[0], "x") == b"old"
        put(trio.servers[0], "x", b"goes on")
    finally:
        trio.stop()
        own.remove()


def test_agents_of_other_nodes_move_to_another_server_unnoticed(trio: Trio) -> None:
    client = trio.client("c1")
    body = json.dumps({"Name": "web", "Port": 80}).encode()
    assert ask(client, "PUT", "/v1/agent/service/register", body).status == 200
    put(client, "x", b"1")
    linked = ask(client, "GET", "/v1/agent/self").json["Stats"]["fairlead"]["linked_to"]
    port = linked.rpartition(":")[2]
    server = trio.servers[[str(number) for number in trio.ports].index(port)]
    alive = [one for one in trio.servers if one is not server]
    server.kill()
    assert value(client, "x") == b"1"
    eventually(lambda: ask(client, "PUT", "/v1/kv/x", b"2").status == 200, "a write")
    assert value(client, "x") == b"2"
    trio.settled(*alive)

    def passing() -> bool:
        found = ask(alive[0], "GET", "/v1/health/service/web?passing").json
        return [one["Node"]["Node"] for one in found] == ["c1"]

    eventually(passing, "the service lives")
    time.sleep(4)
    assert passing(), "and goes on to"

"""The package py-consul (also what python-consul's users write), against a real agent."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from typing import Any

import consul
import consul.exceptions
import pytest

from tests.processes import AgentProcess, fairlead_agent

pytestmark = pytest.mark.xdist_group("clients")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path_factory.mktemp("agent"), "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[Any]:
    client = consul.Consul(host="127.0.0.1", port=agent.port)
    yield client
    client.http.session.close()


def test_keys_are_written_read_listed_and_deleted(client: Any) -> None:
    assert client.kv.put("web/key1", "value1") is True
    index, row = client.kv.get("web/key1")
    assert (row["Value"], int(index)) == (b"value1", row["ModifyIndex"])
    client.kv.put("web/sub/key2", b"\x00\xff")
    assert client.kv.get("web/", keys=True)[1] == ["web/key1", "web/sub/key2"]
    assert client.kv.get("web/", keys=True, separator="/")[1] == ["web/key1", "web/sub/"]
    rows = client.kv.get("web/", recurse=True)[1]
    assert [row["Value"] for row in rows] == [b"value1", b"\x00\xff"]
    assert client.kv.delete("web/", recurse=True) is True
    assert client.kv.get("web/key1")[1] is None


def test_compare_and_swap(client: Any) -> None:
    assert client.kv.put("cas", "1", cas=0) is True
    assert client.kv.put("cas", "2", cas=0) is False
    index = client.kv.get("cas")[1]["ModifyIndex"]
    assert client.kv.put("cas", "2", cas=index, flags=7) is True
    assert client.kv.delete("cas", cas=index) is False
    with pytest.raises(consul.exceptions.BadRequest, match=r"strconv\.ParseUint"):
        client.kv.put("cas", "3", cas="abc")


def test_a_blocking_read_returns_when_the_key_changes(client: Any, agent: AgentProcess) -> None:
    client.kv.put("blocking", "old")
    index, _ = client.kv.get("blocking")
    other = consul.Consul(host="127.0.0.1", port=agent.port)
    writer = threading.Timer(0.1, other.kv.put, ("blocking", "new"))
    writer.start()
    assert client.kv.get("blocking", index=index, wait="30s")[1]["Value"] == b"new"
    writer.join()
    other.http.session.close()


def test_sessions_hold_locks(client: Any) -> None:
    first = client.session.create(name="first", ttl=15, lock_delay=0)
    second = client.session.create(name="second", lock_delay=0)
    assert client.kv.put("lock", "x", acquire=first) is True
    assert client.kv.put("lock", "y", acquire=second) is False
    assert client.session.renew(first)["ID"] == first
    assert client.session.info(first)[1]["Name"] == "first"
    assert {session["ID"] for session in client.session.node("n1")[1]} >= {first, second}
    assert client.session.destroy(first) is True
    assert client.kv.put("lock", "y", acquire=second) is True
    client.session.destroy(second)
    with pytest.raises(consul.exceptions.NotFound):
        client.session.renew(first)


def test_transactions(client: Any) -> None:
    value = base64.b64encode(b"v").decode()
    results = client.txn.put(
        [
            {"KV": {"Verb": "set", "Key": "txn/a", "Value": value}},
            {"KV": {"Verb": "get", "Key": "txn/a"}},
        ]
    )
    assert [row["KV"]["Value"] for row in results["Results"]] == [None, value]
    with pytest.raises(consul.exceptions.ClientError, match=r"409 .*index is stale"):
        client.txn.put([{"KV": {"Verb": "cas", "Key": "txn/a", "Index": 1, "Value": value}}])


def test_services_are_registered_found_and_deregistered(client: Any) -> None:
    check = consul.Check.ttl("10m")
    assert client.agent.service.register(
        "web", service_id="web1", address="10.0.0.1", port=80, tags=["a"], check=check
    )
    client.agent.service.register("web", service_id="web2", port=81, meta={"owner": "shop"})
    assert set(client.agent.services()) == {"web1", "web2"}
    assert client.catalog.services()[1] == {"consul": [], "web": ["a"]}
    assert [row["ServiceID"] for row in client.catalog.service("web")[1]] == ["web1", "web2"]
    assert [row["ServiceID"] for row in client.catalog.service("web", tag="a")[1]] == ["web1"]
    assert set(client.catalog.node("n1")[1]["Services"]) == {"consul", "web1", "web2"}

    passing = client.health.service("web", passing=True)[1]
    assert [entry["Service"]["ID"] for entry in passing] == ["web2"]
    assert client.agent.check.ttl_pass("service:web1", notes="started")
    index, passing = client.health.service("web", passing=True)
    assert {entry["Service"]["Address"] for entry in passing} == {"10.0.0.1", ""}
    (row,) = client.health.checks("web")[1]
    assert (row["CheckID"], row["Status"], row["Output"]) == ("service:web1", "passing", "started")
    assert client.agent.check.ttl_fail("service:web1")
    # A blocking read from before the change has the change at once.
    passing = client.health.service("web", passing=True, index=index, wait="30s")[1]
    assert [entry["Service"]["ID"] for entry in passing] == ["web2"]
    assert [row["CheckID"] for row in client.health.state("critical")[1]] == ["service:web1"]

    for service_id in ("web1", "web2"):
        assert client.agent.service.deregister(service_id)
    assert client.health.service("web")[1] == []
    assert client.agent.service.maintenance("web1", "true") is False


def test_checks_of_the_node(client: Any) -> None:
    assert client.agent.check.register("disk", check=consul.Check.ttl("10m"), check_id="disk")
    assert client.agent.check.ttl_warn("disk", notes="90% full")
    assert client.agent.checks()["disk"]["Output"] == "90% full"
    rows = {row["CheckID"]: row["Status"] for row in client.health.node("n1")[1]}
    assert rows == {"disk": "warning", "serfHealth": "passing"}
    assert client.agent.check.deregister("disk")
    assert client.agent.checks() == {}


def test_nodes_are_registered_without_an_agent(client: Any) -> None:
    service = {"Service": "printer", "Port": 631, "Tags": ["color"]}
    check = {"Name": "paper", "Status": "critical", "ServiceID": "printer"}
    assert client.catalog.register("lp1", "10.0.0.9", service=service, check=check)
    assert [row["Node"] for row in client.catalog.nodes()[1]] == ["lp1", "n1"]
    assert client.catalog.service("printer")[1][0]["Address"] == "10.0.0.9"
    assert client.health.service("printer", passing=True)[1] == []
    assert client.catalog.deregister("lp1", check_id="paper")
    assert len(client.health.service("printer", passing=True)[1]) == 1
    assert client.catalog.deregister("lp1")
    assert [row["Node"] for row in client.catalog.nodes()[1]] == ["n1"]


def test_a_session_ends_with_its_check_and_the_lock_with_it(client: Any) -> None:
    client.agent.check.register("alive", check=consul.Check.ttl("10m"), check_id="alive")
    with pytest.raises(consul.exceptions.ConsulException, match="critical"):
        client.session.create(checks=["alive"])
    client.agent.check.ttl_pass("alive")
    session = client.session.create(checks=["serfHealth", "alive"], lock_delay=0)
    assert client.kv.put("leader", "me", acquire=session) is True
    client.agent.check.ttl_fail("alive")
    assert "Session" not in client.kv.get("leader")[1]
    assert client.session.info(session)[1] is None
    client.agent.check.deregister("alive")


def test_events_are_fired_and_listed(client: Any) -> None:
    fired = client.event.fire("deploy", "1.2.3")
    index, events = client.event.list(name="deploy")
    assert [(event["ID"], event["Payload"]) for event in events] == [(fired["ID"], b"1.2.3")]
    later = client.event.fire("deploy", "1.2.4")
    events = client.event.list(name="deploy", index=index, wait="30s")[1]
    assert [event["ID"] for event in events] == [fired["ID"], later["ID"]]


def test_prepared_queries(client: Any) -> None:
    client.agent.service.register("db", port=5432, tags=["primary"])
    query = client.query.create("db", name="front", tags=["primary"], onlypassing=True)["ID"]
    assert [node["Service"]["Port"] for node in client.query.execute("front")["Nodes"]] == [5432]
    assert client.query.get(query)[0]["Name"] == "front"
    assert client.query.delete(query)
    client.agent.service.deregister("db")


def test_maintenance_and_members(client: Any) -> None:
    assert client.agent.maintenance("true", reason="upgrade")
    assert "_node_maintenance" in client.agent.checks()
    assert client.agent.maintenance("false")
    assert [member["Name"] for member in client.agent.members()] == ["n1"]
    assert client.coordinate.datacenters()[0]["Datacenter"] == "dc1"


def test_what_clients_ask_at_start_up(client: Any) -> None:
    assert client.status.peers() == [client.status.leader()]
    assert client.catalog.datacenters() == ["dc1"]
    assert client.agent.self()["Config"]["NodeName"] == "n1"

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


def test_what_clients_ask_at_start_up(client: Any) -> None:
    assert client.status.peers() == [client.status.leader()]
    assert client.catalog.datacenters() == ["dc1"]
    assert client.agent.self()["Config"]["NodeName"] == "n1"

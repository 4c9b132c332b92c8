"""`/v1/agent` and `/v1/status` over HTTP."""

from __future__ import annotations

import json

from fairlead.version import API_VERSION
from tests.http.edge import Edge, edge_of


async def test_clients_find_what_they_look_for_at_start_up(edge: Edge) -> None:
    described = json.loads((await edge.ask("GET", "/v1/agent/self")).body)
    assert described["Config"]["NodeName"] == "n1"
    assert described["Config"]["Datacenter"] == "dc1"
    assert described["Config"]["Version"] == API_VERSION
    assert described["Config"]["Server"] is True
    assert described["Member"]["Status"] == 1
    assert described["DebugConfig"]["NodeName"] == "n1"
    for section in described["Stats"].values():
        assert all(isinstance(value, str) for value in section.values())
    leader = json.loads((await edge.ask("GET", "/v1/status/leader")).body)
    assert json.loads((await edge.ask("GET", "/v1/status/peers")).body) == [leader]
    assert json.loads((await edge.ask("GET", "/v1/catalog/datacenters")).body) == ["dc1"]
    (member,) = json.loads((await edge.ask("GET", "/v1/agent/members")).body)
    assert member["Name"] == "n1"


async def test_secrets_are_hidden() -> None:
    async with edge_of(key_file="/secret/path") as edge:
        assert b"/secret/path" not in (await edge.ask("GET", "/v1/agent/self")).body


async def test_metrics_come_as_json_and_for_prometheus(edge: Edge) -> None:
    await edge.set("a")
    found = json.loads((await edge.ask("GET", "/v1/agent/metrics")).body)
    assert set(found) == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    gauges = {gauge["Name"].rpartition(".")[2]: gauge["Value"] for gauge in found["Gauges"]}
    assert gauges["kv_entries"] == 1
    assert gauges["sys_bytes"] > 0
    reply = await edge.ask("GET", "/v1/agent/metrics?format=prometheus")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE consul_raft_commitTime summary" in reply.text

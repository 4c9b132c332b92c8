"""Two datacenters: what is asked of one about the other."""

from __future__ import annotations

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.datacenters.sites import ALIVE, Site, Sites, request, sites_in, until
from tests.processes import FAIRLEAD

pytestmark = pytest.mark.xdist_group("datacenters")


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    yield from sites_in(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="module")
def pair(sites: Sites) -> tuple[Site, Site]:
    one, two = sites.pair()
    registration = {
        "Node": "far",
        "Address": "10.2.0.1",
        "Service": {"Service": "web", "Tags": ["v2"], "Port": 8080},
        "Check": {"CheckID": "c", "ServiceID": "web", "Status": "passing"},
    }
    assert two.ask("/v1/catalog/register", "PUT", registration).text == "true"
    return one, two


def test_both_know_one_another(pair: tuple[Site, Site]) -> None:
    one, two = pair
    everybody = {"s-dc1.dc1": ALIVE, "s-dc2.dc2": ALIVE}
    assert one.statuses() == two.statuses() == everybody
    assert one.datacenters() == ["dc1", "dc2"]
    assert two.datacenters() == ["dc2", "dc1"]
    areas = one.ask("/v1/coordinate/datacenters").json
    assert [area["Datacenter"] for area in areas] == ["dc1", "dc2"]
    assert areas[0]["Coordinates"][0]["Node"] == "s-dc1"
    assert one.ask("/v1/agent/self").json["Stats"]["consul"]["known_datacenters"] == "2"


def test_what_is_written_there_is_read_from_both(pair: tuple[Site, Site]) -> None:
    one, two = pair
    assert one.ask("/v1/kv/written?dc=dc2", "PUT", b"here").text == "true"
    assert two.ask("/v1/kv/written?raw").text == "here"
    assert one.ask("/v1/kv/written?dc=dc2&raw").text == "here"
    assert one.ask("/v1/kv/written").status == 404
    there, here = two.ask("/v1/kv/written"), one.ask("/v1/kv/written?dc=dc2")
    assert there == here
    assert one.ask("/v1/kv/written?dc=dc2", "DELETE").text == "true"
    gone = one.ask("/v1/kv/written?dc=dc2")
    assert gone.status == 404


def test_a_large_value_goes_there_and_back(pair: tuple[Site, Site]) -> None:
    one, _ = pair
    value = b"x" * 500_000
    assert one.ask("/v1/kv/large?dc=dc2", "PUT", value).text == "true"
    assert one.ask("/v1/kv/large?dc=dc2&raw").text == value.decode()
    many = [{"KV": {"Verb": "get", "Key": "large"}}] * 5
    assert len(one.ask("/v1/txn?dc=dc2", "PUT", many).json["Results"]) == 5


@pytest.mark.parametrize(
    "path",
    [
        "/v1/catalog/nodes",
        "/v1/catalog/services",
        "/v1/catalog/service/web",
        "/v1/catalog/node/far",
        "/v1/health/service/web?passing",
        "/v1/health/node/far",
        "/v1/health/state/any",
        "/v1/session/list",
        "/v1/query",
        "/v1/coordinate/nodes",
        "/v1/operator/raft/configuration",
        "/v1/internal/ui/nodes",
        "/v1/internal/ui/services",
        "/v1/status/leader",
        "/v1/status/peers",
    ],
)
def test_every_read_is_answered_as_it_is_there(pair: tuple[Site, Site], path: str) -> None:
    one, two = pair
    mark = "&" if "?" in path else "?"
    assert one.ask(f"{path}{mark}dc=dc2") == two.ask(path)
    unknown = one.ask(f"{path}{mark}dc=nowhere")
    assert (unknown.status, unknown.text) == (500, "No path to datacenter")


def test_a_snapshot_of_the_other_datacenter_can_be_taken(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.ask("/v1/kv/in-snapshot", "PUT", b"v")
    with urllib.request.urlopen(f"{one.server.url}/v1/snapshot?dc=dc2") as reply:
        archive = reply.read()
    assert archive[:2] == b"\x1f\x8b"
    two.ask("/v1/kv/in-snapshot", "DELETE")
    assert one.ask("/v1/snapshot?dc=dc2", "PUT", archive).status == 200
    assert two.ask("/v1/kv/in-snapshot?raw").text == "v"
    assert one.ask("/v1/kv/in-snapshot").status == 404
    assert two.datacenters() == ["dc2", "dc1"]


def test_sessions_and_locks_are_those_of_the_datacenter_asked(pair: tuple[Site, Site]) -> None:
    one, two = pair
    made = one.ask("/v1/session/create?dc=dc2", "PUT", {"Node": "s-dc2"}).json["ID"]
    assert one.ask(f"/v1/kv/lock?dc=dc2&acquire={made}", "PUT", b"").text == "true"
    assert two.ask("/v1/kv/lock").json[0]["Session"] == made
    assert one.ask(f"/v1/session/info/{made}").json == []
    nobody = one.ask("/v1/session/create?dc=dc2", "PUT", {})
    assert nobody.text == "Missing node registration"
    assert one.ask(f"/v1/session/destroy/{made}?dc=dc2", "PUT").text == "true"


def test_the_body_of_a_registration_says_which_catalog(pair: tuple[Site, Site]) -> None:
    one, two = pair
    body = {"Datacenter": "dc2", "Node": "by-body", "Address": "10.2.0.9"}
    assert one.ask("/v1/catalog/register?dc=nowhere", "PUT", body).text == "true"
    assert two.ask("/v1/catalog/node/by-body").json["Node"]["Datacenter"] == "dc2"
    gone = {"Datacenter": "dc2", "Node": "by-body"}
    assert one.ask("/v1/catalog/deregister", "PUT", gone).text == "true"
    assert two.ask("/v1/catalog/node/by-body").json is None
    nowhere = one.ask("/v1/catalog/register", "PUT", {**body, "Datacenter": "nowhere"})
    assert (nowhere.status, nowhere.text) == (500, "No path to datacenter")


def test_an_event_is_fired_there(pair: tuple[Site, Site]) -> None:
    one, two = pair
    assert one.ask("/v1/event/fire/go?dc=dc2", "PUT", b"x").json["Name"] == "go"
    assert [event["Name"] for event in two.ask("/v1/event/list").json] == ["go"]
    assert one.ask("/v1/event/list").json == []
    assert one.ask("/v1/event/fire/go?dc=nowhere", "PUT").text == "No path to datacenter"


def test_what_an_agent_says_of_itself_minds_no_datacenter(pair: tuple[Site, Site]) -> None:
    one, _ = pair
    for path in ("agent/services", "agent/checks", "agent/self", "catalog/datacenters"):
        assert one.ask(f"/v1/{path}?dc=nowhere").status == 200


def test_a_blocking_read_wakes_when_something_changes_there(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.ask("/v1/kv/watched", "PUT", b"1")
    index = one.ask("/v1/kv/watched?dc=dc2").at_index
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(one.ask, f"/v1/kv/watched?dc=dc2&index={index}&wait=30s&raw")
        until(lambda: _readers(two) > 0, "a waiting reader")
        two.ask("/v1/kv/watched", "PUT", b"2")
        answer = waiting.result()
    assert answer.text == "2"
    assert answer.at_index > index


def test_a_blocking_read_whose_client_goes_frees_what_it_waits_with(
    pair: tuple[Site, Site],
) -> None:
    one, two = pair
    index = one.ask("/v1/kv/watched?dc=dc2").at_index or 1
    url = f"{one.server.url}/v1/kv/watched?dc=dc2&index={index}&wait=60s"
    with subprocess.Popen(["curl", "-s", url], stdout=subprocess.DEVNULL) as waiting:
        until(lambda: _readers(two) > 0, "a waiting reader")
        waiting.kill()
    until(lambda: _readers(two) == 0, "its end")


def _readers(site: Site) -> int:
    return int(site.ask("/v1/agent/self").json["Stats"]["fairlead"]["blocking_queries"])


def test_dns_asks_the_datacenter_that_a_name_holds(pair: tuple[Site, Site]) -> None:
    one, two = pair
    two.ask("/v1/query", "POST", {"Name": "q", "Service": {"Service": "web"}})
    assert one.dig("web.service.dc2.consul") == ("NOERROR", ["10.2.0.1"])
    assert one.dig("v2.web.service.dc2.consul") == ("NOERROR", ["10.2.0.1"])
    srv = ("NOERROR", ["1 1 8080 far.node.dc2.consul."])
    assert one.dig("web.service.dc2.consul", "SRV") == srv
    assert one.dig("_web._v2.service.dc2.consul", "SRV") == srv
    assert one.dig("far.node.dc2.consul") == ("NOERROR", ["10.2.0.1"])
    assert one.dig("q.query.dc2.consul") == ("NOERROR", ["10.2.0.1"])
    for name in ("web.service", "v1.web.service.dc2", "web.service.nowhere", "far.node.nowhere"):
        assert one.dig(f"{name}.consul") == ("NXDOMAIN", [])


@pytest.mark.parametrize(
    ("failover", "where", "failovers"),
    [
        ({"Datacenters": ["dc2"]}, "dc2", 1),
        ({"NearestN": 1}, "dc2", 1),
        ({"Datacenters": ["nowhere", "dc2"]}, "dc2", 1),
        ({"Datacenters": ["nowhere"]}, "dc1", 0),
        ({}, "dc1", 0),
    ],
)
def test_a_query_that_finds_nothing_here_looks_there(
    pair: tuple[Site, Site], failover: dict[str, object], where: str, failovers: int
) -> None:
    one, _ = pair
    service = {"Service": "web", "Failover": failover}
    query = {"Name": "far-web", "Service": service, "DNS": {"TTL": "7s"}}
    made = one.ask("/v1/query", "POST", query).json["ID"]
    found = one.ask("/v1/query/far-web/execute").json
    assert (found["Datacenter"], found["Failovers"]) == (where, failovers)
    nodes = ["far"] if where == "dc2" else []
    assert [node["Node"]["Node"] for node in found["Nodes"]] == nodes
    if nodes:
        assert one.dig("far-web.query.consul") == ("NOERROR", ["10.2.0.1"])
        srv = one.dig("far-web.query.consul", "SRV")
        assert srv == ("NOERROR", ["1 1 8080 far.node.dc2.consul."])
    else:
        assert one.dig("far-web.query.consul") == ("NXDOMAIN", [])
    one.ask(f"/v1/query/{made}", "DELETE")


def test_a_client_agent_asks_through_its_server(pair: tuple[Site, Site], sites: Sites) -> None:
    one, two = pair
    client = sites.client(one, "c1")
    assert request(client, "/v1/kv/from-client?dc=dc2", "PUT", b"v").text == "true"
    assert two.ask("/v1/kv/from-client?raw").text == "v"
    assert request(client, "/v1/catalog/datacenters").json == ["dc1", "dc2"]
    nowhere = request(client, "/v1/kv/a?dc=nowhere")
    assert (nowhere.status, nowhere.text) == (500, "No path to datacenter")
    assert request(client, "/v1/agent/members?wan=1").json is None
    refused = request(client, f"/v1/agent/join/{two.address}?wan=1", "PUT")
    assert "Must be a server to join WAN cluster" in refused.text


def test_verbs_ask_there_with_datacenter(pair: tuple[Site, Site], tmp_path: Path) -> None:
    one, two = pair

    def say(*words: str) -> str:
        env = {**os.environ, "FAIRLEAD_HTTP_ADDR": one.server.url}
        done = subprocess.run(
            [*FAIRLEAD, *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=env
        )
        return done.stdout + done.stderr

    assert say("kv", "put", "-datacenter=dc2", "cli", "v") == "Success! Data written to: cli\n"
    assert two.ask("/v1/kv/cli?raw").text == "v"
    assert say("kv", "get", "-datacenter=dc2", "cli") == "v\n"
    assert "far" in say("catalog", "nodes", "-datacenter=dc2")
    assert "No path to datacenter" in say("kv", "get", "-datacenter=nowhere", "cli")
    members = say("members", "-wan")
    assert f"s-dc2.dc2  127.0.0.1:{two.wan}  alive   server" in members
    assert say("catalog", "datacenters") == "dc1\ndc2\n"
    assert "(using WAN coordinates)" in say("rtt", "-wan", "s-dc1.dc1", "s-dc2.dc2")

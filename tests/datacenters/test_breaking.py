"""Datacenters that are joined, cut off, restarted, and that leave."""

from __future__ import annotations

import functools
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datacenters.sites import ALIVE, FAILED, LEFT, Site, Sites, request, sites_in, until
from tests.processes import free_port

pytestmark = [pytest.mark.xdist_group("datacenters"), pytest.mark.long]

KEY = "MDEyMzQ1Njc4OTAxMjM0NQ=="
NO_PATH = "No path to datacenter"


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    yield from sites_in(tmp_path)


def refused(sites: Sites, name: str, *flags: str) -> str:
    """What a server says that does not start."""
    site = Site(sites.folder / name, name, flags)
    done = subprocess.run(
        site.server.command, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def knows(site: Site, expected: dict[str, int]) -> bool:
    return expected.items() <= site.statuses().items()


def test_one_that_is_killed_has_failed_and_is_found_again(sites: Sites) -> None:
    one, two = sites.pair()
    service = {"Service": "web", "Failover": {"Datacenters": ["dc2"]}}
    one.ask("/v1/query", "POST", {"Name": "q", "Service": service})
    two.server.kill()
    until(lambda: one.statuses()["s-dc2.dc2"] == FAILED, "a failure")
    until(lambda: one.ask("/v1/kv/a?dc=dc2").text == NO_PATH, "no path")
    assert one.ask("/v1/kv/a?dc=dc2", "PUT", b"v") == (500, NO_PATH, 0)
    assert one.datacenters() == ["dc1", "dc2"]
    assert one.dig("web.service.dc2.consul") == ("SERVFAIL", [])
    found = one.ask("/v1/query/q/execute").json
    assert (found["Datacenter"], found["Failovers"], found["Nodes"]) == ("dc1", 1, [])
    # Neither is told of the other again: both remember.
    two.server.start()
    until(lambda: one.statuses()["s-dc2.dc2"] == ALIVE, "a return")
    until(lambda: one.ask("/v1/kv/a?dc=dc2", "PUT", b"v").text == "true", "a write")
    until(lambda: two.ask("/v1/kv/b?dc=dc1", "PUT", b"v").text == "true", "a write back")


def test_after_a_power_failure_of_all_everybody_is_known(sites: Sites) -> None:
    one, two = sites.pair()
    one.server.kill()
    two.server.kill()
    one.server.start()
    two.server.start()
    # At once: what is asked waits for the way there.
    assert one.ask("/v1/kv/a?dc=dc2", "PUT", b"v").text == "true"
    assert two.ask("/v1/kv/a?dc=dc1").status == 404


def test_one_that_says_nothing_is_cut_off_and_comes_back_by_itself(sites: Sites) -> None:
    one, two = sites.pair()
    two.server.send(signal.SIGSTOP)
    try:
        assert one.dig("s-dc2.node.dc2.consul") == ("SERVFAIL", [])
        until(lambda: one.statuses()["s-dc2.dc2"] == FAILED, "a failure")
        assert one.ask("/v1/kv/own", "PUT", b"v").text == "true"
    finally:
        two.server.send(signal.SIGCONT)
    until(lambda: one.statuses()["s-dc2.dc2"] == ALIVE, "a return")
    until(lambda: one.ask("/v1/kv/a?dc=dc2", "PUT", b"v").text == "true", "a write")


def test_who_joins_one_comes_to_know_all(sites: Sites) -> None:
    one, two = sites.pair()
    three = sites.site("dc3", f"-retry-join-wan={two.address}", "-retry-interval-wan=200ms")
    everybody = {"s-dc1.dc1": ALIVE, "s-dc2.dc2": ALIVE, "s-dc3.dc3": ALIVE}
    for site in (one, two, three):
        until(functools.partial(knows, site, everybody), "knowing all")
    until(lambda: one.ask("/v1/kv/a?dc=dc3", "PUT", b"v").text == "true", "a write")
    until(lambda: three.ask("/v1/kv/a?dc=dc1").status == 404, "a read")
    # One that is cut off takes nobody with it.
    two.server.kill()
    until(lambda: one.statuses()["s-dc2.dc2"] == FAILED, "a failure")
    assert one.ask("/v1/kv/a?dc=dc3&raw").text == "v"


def test_a_query_passes_over_a_datacenter_that_is_down(sites: Sites) -> None:
    one, two = sites.pair()
    three = sites.site("dc3", f"-join-wan={one.address}")
    web = {"Node": "n", "Address": "10.3.0.1", "Service": {"Service": "web", "Port": 80}}
    three.ask("/v1/catalog/register", "PUT", web)
    service = {"Service": "web", "Failover": {"Datacenters": ["dc2", "dc3"]}}
    one.ask("/v1/query", "POST", {"Name": "q", "Service": service})
    two.server.kill()
    found = one.ask("/v1/query/q/execute").json
    assert (found["Datacenter"], found["Failovers"]) == ("dc3", 2)
    until(lambda: one.dig("q.query.consul") == ("NOERROR", ["10.3.0.1"]), "an answer")


def test_one_that_leaves_has_left_and_its_datacenter_is_gone(sites: Sites) -> None:
    one, two = sites.pair()
    assert two.ask("/v1/agent/leave", "PUT").status == 200
    assert two.server.wait() == 0
    until(lambda: one.statuses()["s-dc2.dc2"] == LEFT, "leaving")
    assert one.datacenters() == ["dc1"]
    assert one.ask("/v1/kv/a?dc=dc2").text == NO_PATH
    two.server.start()
    until(lambda: one.statuses()["s-dc2.dc2"] == ALIVE, "a return")


def test_one_that_failed_is_forced_to_leave_and_forgotten(sites: Sites) -> None:
    one, two = sites.pair()
    three = sites.site("dc3", f"-join-wan={one.address}")
    two.server.kill()
    for site in (one, three):
        until(functools.partial(knows, site, {"s-dc2.dc2": FAILED}), "a failure")
    assert one.ask("/v1/agent/force-leave/s-dc2.dc2", "PUT").status == 200
    assert one.statuses()["s-dc2.dc2"] == LEFT
    until(lambda: three.statuses()["s-dc2.dc2"] == LEFT, "hearing of it")
    assert one.ask("/v1/agent/force-leave/s-dc2.dc2?prune", "PUT").status == 200
    assert "s-dc2.dc2" not in one.statuses()
    unknown = one.ask("/v1/agent/force-leave/s-dc9.dc9", "PUT")
    assert unknown.text == "agent: No node found with name 's-dc9.dc9'"


def test_one_that_lives_comes_back_when_it_is_forced_to_leave(sites: Sites) -> None:
    one, _ = sites.pair()
    assert one.ask("/v1/agent/force-leave/s-dc2.dc2", "PUT").status == 200
    until(lambda: one.statuses()["s-dc2.dc2"] == ALIVE, "a return")


def test_who_cannot_be_joined_is_told_in_one_sentence(sites: Sites) -> None:
    one, two = sites.site("dc1"), sites.site("dc2", f"-encrypt={KEY}")
    port = free_port()
    nobody = one.ask(f"/v1/agent/join/127.0.0.1:{port}?wan=1", "PUT").text
    assert f"dial tcp 127.0.0.1:{port}: connect: connection refused" in nobody
    wrong = one.ask(f"/v1/agent/join/127.0.0.1:{two.lan}?wan=1", "PUT").text
    assert "is not for other datacenters (ports.serf_wan is)" in wrong
    stranger = one.ask(f"/v1/agent/join/{two.address}?wan=1", "PUT").text
    assert "the encrypt keys differ" in stranger
    assert one.ask(f"/v1/agent/join/{one.address}?wan=1", "PUT").status == 200
    twin = sites.site("twin", "-datacenter=dc1")
    same = one.ask(f"/v1/agent/join/{twin.address}?wan=1", "PUT").text
    assert "is a server of another datacenter of that name" in same
    assert one.datacenters() == ["dc1"]
    assert "connection refused" in refused(sites, "dc3", f"-join-wan=127.0.0.1:{port}")
    flags = (f"-retry-join-wan=127.0.0.1:{port}", "-retry-max-wan=1")
    assert "(WAN) max join retry exhausted, exiting" in refused(sites, "dc4", *flags)


def test_a_client_cannot_come_in_by_the_port_for_datacenters(sites: Sites) -> None:
    one = sites.site("dc1")
    one.lan = one.wan
    with pytest.raises(RuntimeError, match="this port is for servers of other datacenters"):
        sites.client(one, "c1")


def test_a_server_without_the_port_says_so(sites: Sites) -> None:
    one = sites.site("dc1", "-serf-wan-port=-1")
    answer = one.ask("/v1/agent/join/127.0.0.1:9?wan=1", "PUT")
    assert (answer.status, "WAN Federation is disabled" in answer.text) == (500, True)


def test_keys_are_copied_and_follow_what_happens_there(sites: Sites) -> None:
    one = sites.site("dc1")
    copying = '-hcl=kv_replication = [{ datacenter = "dc1", prefix = "shared/" }]'
    one.ask("/v1/kv/shared/a?flags=7", "PUT", b"1")
    one.ask("/v1/kv/shared/empty", "PUT", b"")
    one.ask("/v1/kv/private", "PUT", b"1")
    two = sites.site("dc2", f"-join-wan={one.address}", copying)
    both = '["shared/a","shared/empty"]'
    until(lambda: two.ask("/v1/kv/shared/?keys").text == both, "a copy")
    assert two.ask("/v1/kv/shared/a").json[0]["Flags"] == 7
    assert two.ask("/v1/kv/private").status == 404
    stood = two.ask("/v1/kv/shared/empty").json[0]["ModifyIndex"]

    one.ask("/v1/kv/shared/a", "PUT", b"2")
    one.ask("/v1/kv/shared/b", "PUT", b"new")
    until(lambda: two.ask("/v1/kv/shared/b?raw").text == "new", "a new key")
    until(lambda: two.ask("/v1/kv/shared/a?raw").text == "2", "a new value")
    one.ask("/v1/kv/shared/a", "DELETE")
    until(lambda: two.ask("/v1/kv/shared/a").status == 404, "a deletion")
    assert two.ask("/v1/kv/shared/empty").json[0]["ModifyIndex"] == stood

    # While nobody can be asked, what was copied stays.
    one.server.kill()
    until(lambda: two.statuses()["s-dc1.dc1"] == FAILED, "a failure")
    assert two.ask("/v1/kv/shared/b?raw").text == "new"
    one.server.start()
    until(lambda: request(one.server, "/v1/kv/shared/?recurse", "DELETE").text == "true", "an end")
    until(lambda: two.ask("/v1/kv/shared/?keys").status == 404, "nothing left")

"""Three agents on a network of their own: one cut off and healed, one killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.machines import program
from tests.cluster.agents import ALIVE, FAILED, Diary, until
from tests.cluster.namespaces import Machine, Network, why_not

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    program("ip", "iproute2")
    program("dig", "bind9-dnsutils")
    reason = why_not()
    if reason:
        pytest.skip(reason)
    network = Network(tmp_path)
    try:
        yield network
    finally:
        network.close()


def statuses(machine: Machine) -> dict[str, int]:
    members = machine.ask("/v1/agent/members")
    return {member["Name"]: member["Status"] for member in members or []}


def lives(machine: Machine, node: str) -> bool:
    """Whether sessions that rest on the node's health can be made."""
    made = machine.ask("/v1/session/create", "-X", "PUT", "-d", f'{{"Node": "{node}"}}')
    return isinstance(made, dict)


def sessions(machine: Machine, node: str) -> int:
    return len(machine.ask(f"/v1/session/node/{node}") or [])


def write(machine: Machine, value: str) -> Any:
    return machine.ask("/v1/kv/a", "-X", "PUT", "-d", value)


WEB = "web.service.consul"


def register_web(machine: Machine) -> None:
    machine.ask("/v1/agent/service/register", "-X", "PUT", "-d", '{"Name": "web", "Port": 80}')


def passing(machine: Machine) -> list[str]:
    """The nodes whose `web` passes, as this machine is told over HTTP."""
    found = machine.ask("/v1/health/service/web?passing")
    return sorted(one["Node"]["Node"] for one in found) if isinstance(found, list) else []


def agree(machine: Machine, *instances: Machine) -> bool:
    """Whether health and DNS both give exactly these machines."""
    nodes = sorted(one.name for one in instances)
    addresses = sorted(one.address for one in instances)
    return passing(machine) == nodes and machine.names(WEB) == addresses


def test_one_is_cut_off_and_healed_and_one_is_killed(network: Network) -> None:
    server, cut, killed = [network.machine(name) for name in ("s1", "c1", "c2")]
    server.start("-server", "-bootstrap-expect=1")
    for machine in (cut, killed):
        machine.start(f"-retry-join={server.address}", "-retry-interval=500ms")
    everybody = {"c1": ALIVE, "c2": ALIVE, "s1": ALIVE}
    until(lambda: all(statuses(each) == everybody for each in network.machines), "a cluster")
    assert write(cut, "before") is True
    assert lives(cut, "c1")
    assert lives(server, "c2")
    for machine in (cut, killed):
        register_web(machine)
    until(lambda: all(agree(each, cut, killed) for each in network.machines), "both instances")

    with (
        Diary(lambda: statuses(server)) as server_saw,
        Diary(lambda: statuses(killed).get("c1")) as other_saw,
        Diary(lambda: statuses(cut).get("s1")) as cut_saw,
    ):
        until(lambda: server_saw.entries and other_saw.entries and cut_saw.entries)
        # Cut off: the server notices by silence, and so does the one that was cut off.
        network.pull(cut)
        until(lambda: statuses(server)["c1"] == FAILED, "a failure")
        assert sessions(server, "c1") == 0
        assert not lives(server, "c1")
        assert lives(server, "c2")
        until(lambda: agree(server, killed) and agree(killed, killed), "the one that is left")
        until(lambda: statuses(cut) == {"c1": ALIVE, "c2": FAILED, "s1": FAILED}, "loneliness")
        until(lambda: write(cut, "lost") == "No known Consul servers", "an error")

        # Healed: it comes back by itself.
        network.plug(cut)
        until(lambda: statuses(server) == everybody, "a return")
        until(lambda: statuses(cut) == everybody, "a return")
        until(lambda: cut.ask("/v1/kv/a?raw") == "before", "an answer")
        assert write(cut, "after") is True
        assert lives(server, "c1")
        until(lambda: all(agree(each, cut, killed) for each in network.machines), "both again")

        killed.kill()
        until(lambda: statuses(server)["c2"] == FAILED, "a failure")
        until(lambda: agree(server, cut) and agree(cut, cut), "the one that is left")
        until(lambda: statuses(cut)["c2"] == FAILED, "a failure")
        assert sessions(server, "c2") == 0
        until(lambda: server_saw.entries[-1]["c2"] == FAILED)

    assert [entry for entry in server_saw.entries if entry] == [
        everybody,
        {**everybody, "c1": FAILED},
        everybody,
        {**everybody, "c2": FAILED},
    ]
    assert other_saw.entries == [ALIVE, FAILED, ALIVE]
    assert [seen for seen in cut_saw.entries if seen] == [ALIVE, FAILED, ALIVE]

"""The commands of the README's "Three servers", typed on machines of a network of their own."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.clients.machines import program
from tests.cluster.agents import until
from tests.cluster.namespaces import Machine, Network, why_not
from tests.etcd import etcd_binary
from tests.processes import ROOT

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.long]

NAMES = "consul.service.consul"


def typed(page: str, section: str) -> list[str]:
    """The command lines of a section, each on one line and without its comment."""
    text = (ROOT / page).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line) for line in lines]


class Cluster:
    """Three servers and an agent on a fourth machine."""

    def __init__(self, network: Network) -> None:
        names = ("s1", "s2", "s3", "c1")
        self.servers = [network.machine(name) for name in names[:3]]
        self.client = network.machine(names[3])
        self.path = f"{Path(sys.executable).parent}:{Path(etcd_binary()).resolve().parent}"
        make_key, start_server, start_client, *self.commands = typed("README.md", "Three servers")
        self.key = self.servers[0].type(f"{make_key}; echo $KEY", self.path).strip()
        self._start_server, self._start_client = start_server, start_client

    @property
    def machines(self) -> list[Machine]:
        return [*self.servers, self.client]

    def start(self, *machines: Machine) -> None:
        """Type the command of the page, with the addresses and the directory of this network."""
        for machine in machines:
            line = self._start_client if machine is self.client else self._start_server
            line = line.replace("$KEY", self.key).replace("/var/lib/fairlead", str(machine.data))
            for number, server in enumerate(self.servers, 1):
                line = line.replace(f"10.0.0.{number}", server.address)
            # Namespaces share the name of their host; machines have one each.
            machine.launch([*shlex.split(line), f"-node={machine.name}"], self.path)

    def type(self, machine: Machine, number: int) -> str:
        """What the page's command of that number prints at this machine."""
        return machine.type(self.commands[number], self.path)

    def states(self, machine: Machine) -> dict[str, str]:
        """Which servers there are, and which of them leads, as a table for people says."""
        rows = [line.split() for line in self.type(machine, 0).splitlines()[1:]]
        return {row[0]: row[3] for row in rows}

    @property
    def leader(self) -> Machine:
        """Whom the client names; there must be one."""
        found: list[Machine] = []

        def is_found() -> bool:
            named = self.client.ask("/v1/status/leader")
            found[:] = [one for one in self.servers if named == f"{one.address}:8300"]
            return bool(found)

        until(is_found, "a leader")
        return found[0]

    def is_whole(self) -> bool:
        """Whether every machine sees one leader, everybody alive, all servers by DNS."""
        addresses = sorted(server.address for server in self.servers)
        for machine in self.machines:
            states = self.states(machine)
            members = machine.ask("/v1/agent/members") or []
            if sorted(states) != ["s1", "s2", "s3"] or list(states.values()).count("leader") != 1:
                return False
            if [member["Status"] for member in members] != [1, 1, 1, 1]:
                return False
            if machine.names(NAMES) != addresses:
                return False
        return True


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    program("ip", "iproute2")
    program("dig", "bind9-dnsutils")
    etcd_binary()
    reason = why_not()
    if reason:
        pytest.skip(reason)
    network = Network(tmp_path_factory.mktemp("three"))
    try:
        cluster = Cluster(network)
        cluster.start(*cluster.servers)
        until(partial(knows_leader, cluster.servers[0]), "a leader")
        cluster.start(cluster.client)
        until(cluster.is_whole, "a cluster of three servers and an agent")
        yield cluster
    finally:
        network.close()


class Reader:
    """Reads a key through an agent again and again, and keeps what went wrong."""

    def __init__(self, machine: Machine, path: str, wanted: str) -> None:
        self.wrong: list[object] = []
        self.count = 0
        self._machine, self._path, self._wanted = machine, path, wanted
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._end.wait(0.05):
            answer = self._machine.ask(self._path)
            self.count += 1
            if answer != self._wanted:
                self.wrong.append(answer)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


def knows_leader(machine: Machine) -> bool:
    return machine.ask("/v1/status/leader") not in (None, "")


def put(machine: Machine, key: str, value: str) -> bool:
    return machine.ask(f"/v1/kv/{key}", "-X", "PUT", "-d", value) is True


def test_what_is_typed_at_one_server_is_seen_at_the_others(cluster: Cluster) -> None:
    s1, s2, s3 = cluster.servers
    assert cluster.type(s1, 1) == "Success! Data written to: web/key1\n"
    assert cluster.type(s2, 2) == "value1\n"
    addresses = sorted(server.address for server in cluster.servers)
    assert sorted(cluster.type(s3, 3).split()) == addresses
    for writer in cluster.machines:
        assert put(writer, "seen", writer.name)
        for reader in cluster.machines:
            assert reader.ask("/v1/kv/seen?raw") == writer.name


def test_a_normal_start_warns_of_nothing(cluster: Cluster) -> None:
    for machine in cluster.machines:
        lines = machine.log.read_text().splitlines()
        # What etcd itself says is about how slow this machine is.
        lines = [line for line in lines if "] etcd: " not in line.replace("  ", " ")]
        assert [line for line in lines if "[WARN]" in line or "[ERROR]" in line] == []


def test_when_the_leader_is_killed_the_others_go_on_and_it_catches_up(cluster: Cluster) -> None:
    dead = cluster.leader
    others = [server for server in cluster.servers if server is not dead]
    assert put(cluster.client, "kept", "before")
    with Reader(cluster.client, "/v1/kv/kept?raw", "before") as reader:
        dead.kill()
        until(lambda: put(others[0], "after", "one"), "a write")
        until(lambda: put(others[1], "after", "two"), "a write through the other one")
        until(lambda: put(cluster.client, "after", "three"), "a write through the agent")
        for machine in (*others, cluster.client):
            assert machine.ask("/v1/kv/after?raw") == "three"
            assert others[0].address in machine.names(NAMES)
        assert cluster.leader in others
        alive = sorted(server.address for server in others)
        until(lambda: all(one.names(NAMES) == alive for one in others), "the two that are left")
    assert reader.wrong == []
    assert reader.count > 0

    cluster.start(dead)
    until(cluster.is_whole, "three servers again")
    assert dead.ask("/v1/kv/after?raw&stale") == "three"


def test_a_server_whose_disk_is_lost_comes_back_and_has_everything(cluster: Cluster) -> None:
    lost = next(server for server in cluster.servers if server is not cluster.leader)
    assert put(cluster.client, "kept", "all")
    lost.kill()
    shutil.rmtree(lost.data)
    cluster.start(lost)
    until(cluster.is_whole, "three servers again")
    assert lost.ask("/v1/kv/kept?raw&stale") == "all"
    # Its vote counts: without one of the others there still is a majority.
    other = next(server for server in cluster.servers if server is not lost)
    other.kill()
    until(lambda: put(lost, "kept", "still"), "a write")
    cluster.start(other)
    until(cluster.is_whole, "three servers again")


def test_a_server_that_is_stopped_ends_at_once_whatever_it_is_doing(cluster: Cluster) -> None:
    """One after the other, so that each takes the lead shortly before it is stopped itself."""
    for server in cluster.servers:
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 10
        cluster.start(server)
        until(partial(knows_leader, server), "a leader")
    until(cluster.is_whole, "three servers again")


def test_without_a_majority_what_is_known_can_be_read(cluster: Cluster) -> None:
    assert put(cluster.client, "kept", "known")
    left, *dead = cluster.servers
    for server in dead:
        server.kill()
    until(lambda: left.ask("/v1/status/leader") == "", "nobody who leads")
    assert left.ask("/v1/kv/kept?raw&stale") == "known"
    assert left.address in left.names(NAMES)
    assert left.ask("/v1/kv/kept", "-X", "PUT", "-d", "lost") == "No cluster leader"
    cluster.start(*dead)
    until(cluster.is_whole, "three servers again")
    assert put(cluster.client, "kept", "again")

"""Three servers on one etcd, as processes, and asking each of them."""

from __future__ import annotations

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.etcd import Etcd
from tests.processes import AgentProcess, fairlead_agent, free_port

_WAIT_S = 30.0


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(agent: AgentProcess, method: str, path: str, body: bytes | None = None) -> Answer:
    """One request; statuses are answers too."""
    request = urllib.request.Request(agent.url + path, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return Answer(reply.status, reply.read(), _lower(reply.headers))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read(), _lower(error.headers))


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def put(agent: AgentProcess, key: str, value: bytes) -> None:
    answer = ask(agent, "PUT", f"/v1/kv/{key}", value)
    assert (answer.status, answer.body) == (200, b"true")


def value(agent: AgentProcess, key: str, query: str = "raw") -> bytes:
    return ask(agent, "GET", f"/v1/kv/{key}?{query}").body


def eventually(probe: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        try:
            if probe():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"not within {_WAIT_S:.0f} s: {what}")


class Trio:
    """Servers `s1` to `s3`."""

    def __init__(self, folder: Path, etcd: Etcd) -> None:
        self.etcd = etcd
        self.folder = folder
        self.engine = f"etcd:{etcd.endpoint}?prefix=/{folder.name}"
        self.ports = [free_port() for _ in range(3)]
        self.dns = [free_port() for _ in range(3)]
        self.servers = [self._server(number) for number in range(3)]
        self.others: list[AgentProcess] = []

    def _server(self, number: int) -> AgentProcess:
        folder = self.folder / f"s{number + 1}"
        folder.mkdir(exist_ok=True)
        flags = [f"-engine={self.engine}", f"-node=s{number + 1}", "-log-level=debug"]
        ports = [f"-server-port={self.ports[number]}", f"-dns-port={self.dns[number]}"]
        return fairlead_agent(folder, *flags, *ports)

    def client(self, name: str) -> AgentProcess:
        """An agent on another node, that knows all servers."""
        folder = self.folder / name
        folder.mkdir()
        port = free_port()
        joins = [f"-retry-join=127.0.0.1:{number}" for number in self.ports]
        ports = [f"-http-port={port}", "-dns-port=-1", "-server-port=-1", "-serf-lan-port=-1"]
        base = fairlead_agent(folder, port=port).command[:3]
        flags = ["agent", f"-data-dir={folder / 'data'}", "-bind=127.0.0.1", f"-node={name}"]
        agent = AgentProcess([*base, *flags, *ports, *joins], port, folder, "/v1/catalog/nodes")
        self.others.append(agent)
        return agent.start()

    def start(self) -> Trio:
        for server in self.servers:
            server.start()
        self.settled()
        return self

    def settled(self, *servers: AgentProcess) -> None:
        """Wait until each of them names the same leader, one of them, and has it answer."""
        wanted = servers or tuple(self.servers)

        def agree() -> bool:
            named = {ask(server, "GET", "/v1/status/leader").json for server in wanted}
            if len(named) != 1 or self._by_address(named.pop()) not in wanted:
                return False
            return all(ask(server, "GET", "/v1/catalog/nodes").status == 200 for server in wanted)

        eventually(agree, "one leader")

    def _by_address(self, address: str) -> AgentProcess | None:
        port = address.rpartition(":")[2]
        ports = [str(number) for number in self.ports]
        return self.servers[ports.index(port)] if port in ports else None

    def follows(self, server: AgentProcess, key: str, wanted: bytes) -> None:
        """Wait until its own memory has that value."""
        eventually(lambda: value(server, key, "raw&stale") == wanted, f"{key} is {wanted!r}")

    @property
    def leader(self) -> AgentProcess:
        found = self._by_address(ask(self.servers[0], "GET", "/v1/status/leader").json)
        assert found is not None
        return found

    @property
    def followers(self) -> list[AgentProcess]:
        leader = self.leader
        return [server for server in self.servers if server is not leader]

    def stop(self) -> None:
        for agent in [*self.others, *self.servers]:
            try:
                agent.send(signal.SIGCONT)
                agent.kill()
            except (AssertionError, ProcessLookupError):
                pass

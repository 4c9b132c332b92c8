"""Servers that run their etcds themselves, as processes on 127.0.0.1, .2 and so on."""

from __future__ import annotations

import contextlib
from pathlib import Path

from tests.processes import FAIRLEAD, AgentProcess, free_port
from tests.servers.trio import ask, eventually

__all__ = ["ServerProcess", "Supervised"]

_PORTS = ("http", "server", "serf_lan", "serf_wan", "etcd")


class ServerProcess(AgentProcess):
    """One of them."""

    def __init__(self, number: int, folder: Path, ports: dict[str, int], expect: int) -> None:
        self.name = f"s{number}"
        self.address = f"127.0.0.{number}"
        self.data = folder / self.name
        self.server_address = f"{self.address}:{ports['server']}"
        self.data.mkdir(exist_ok=True)
        named = " ".join(f"{name} = {port}" for name, port in {**ports, "dns": -1}.items())
        joins = [f"-retry-join=127.0.0.{each}" for each in (1, 2, 3)]
        command = [*FAIRLEAD, "agent", "-server", f"-bootstrap-expect={expect}", *joins]
        command += [f"-data-dir={self.data / 'data'}", f"-bind={self.address}"]
        command += [f"-client={self.address}", f"-node={self.name}"]
        command += ["-hcl", f"ports {{ {named} }}"]
        super().__init__(command, ports["http"], self.data, "/v1/status/leader")
        self.url = f"http://{self.address}:{self.port}"


class Supervised:
    """A cluster of three; more can be added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in _PORTS}
        self.servers = [self.server(number) for number in (1, 2, 3)]

    def server(self, number: int) -> ServerProcess:
        return ServerProcess(number, self.folder, self.ports, 3)

    def start(self) -> Supervised:
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_ready()
        self.settled()
        return self

    def add(self, number: int) -> ServerProcess:
        server = self.server(number)
        self.servers.append(server)
        server.start()
        return server

    def settled(self) -> None:
        """Wait until all name one leader, have it answer, and it knows all of them."""

        def agree() -> bool:
            named = {ask(server, "GET", "/v1/status/leader").json for server in self.living}
            peers = [ask(server, "GET", "/v1/status/peers") for server in self.living]
            return (
                len(named) == 1
                and named != {""}
                and all(answer.status == 200 for answer in peers)
                and all(len(answer.json) >= len(self.living) for answer in peers)
                and all(
                    ask(server, "GET", "/v1/catalog/nodes").status == 200 for server in self.living
                )
            )

        eventually(agree, "one leader")

    @property
    def living(self) -> list[ServerProcess]:
        return [server for server in self.servers if server.is_running]

    @property
    def leader(self) -> ServerProcess:
        address = ask(self.living[0], "GET", "/v1/status/leader").json
        return next(server for server in self.servers if server.server_address == address)

    @property
    def followers(self) -> list[ServerProcess]:
        leader = self.leader
        return [server for server in self.living if server is not leader]

    def stop(self) -> None:
        for server in self.servers:
            with contextlib.suppress(AssertionError, ProcessLookupError):
                server.kill()

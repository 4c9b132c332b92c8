"""Three servers of one peer on this machine, as one cluster: start it, ask who leads, stop it.

Each server has an address of its own, 127.0.0.1 to 127.0.0.3, and all have the
same ports. They are given the flags a user of three machines gives.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.processes import free_port

from bench.errors import BenchError
from bench.peers import Peer
from bench.server import Server

__all__ = ["FAILURES", "Cluster"]

FAILURES = (BenchError, OSError, http.client.HTTPException)
"""What may go wrong with servers that are asked, loaded and killed."""

_HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
_PATIENCE_S = 60.0
_POLL_S = 0.05
_PROBE = "/v1/kv/bench/whole"
# All is the default, but what would ask the Internet and what would fill the log.
_CONFIG = {"disable_update_check": True, "log_level": "warn"}


class Cluster:
    """Three servers; as a context, they run within it."""

    def __init__(self, peer: Peer, folder: Path, settings: Mapping[str, object]) -> None:
        """With all they have in `folder`; `settings` are more lines of their configuration."""
        folder.mkdir(parents=True)
        self.name = peer.name
        names = ("http", "dns", "server", "serf_lan", "serf_wan")
        ports = {name: free_port() for name in names}
        config = folder / "agent.json"
        config.write_text(json.dumps({**_CONFIG, **settings, "ports": ports}))
        joins = [f"-retry-join={host}:{ports['serf_lan']}" for host in _HOSTS]
        self.servers: list[Server] = []
        for number, host in enumerate(_HOSTS, 1):
            own = folder / f"s{number}"
            own.mkdir()
            command = [*peer.program, "agent", "-server", "-bootstrap-expect=3", *joins]
            command += [f"-data-dir={own / 'data'}", f"-bind={host}", f"-client={host}"]
            command += [f"-node=s{number}", f"-config-file={config}"]
            log = own / "agent.log"
            server = Server(peer.name, command, ports["http"], log, ports["dns"], host=host)
            self.servers.append(server)
        self._stack = ExitStack()
        self._probes = 0

    def __enter__(self) -> Cluster:
        with ExitStack() as stack:
            for server in self.servers:
                stack.callback(server.stop)
                server.spawn()
            for server in self.servers:
                server.wait_until_writable()
            self.wait_until_whole()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    # ---------------------------------------------------------------- who is what

    def leader(self) -> Server:
        """Raises: BenchError, when it is not one that all know."""
        found = self._leader()
        if found is None:
            raise BenchError(f"{self.name} has no leader, or its servers do not agree who it is")
        return found

    def followers(self) -> list[Server]:
        """The servers that do not lead."""
        leader = self.leader()
        return [server for server in self.servers if server is not leader]

    def _leader(self) -> Server | None:
        said = {server.ask("GET", "/v1/status/leader").body for server in self.servers}
        if len(said) != 1:
            return None
        host = str(json.loads(said.pop())).rpartition(":")[0]
        return next((server for server in self.servers if server.host == host), None)

    # ---------------------------------------------------------------- how it is

    def wait_until_whole(self) -> None:
        """Until all agree who leads, all vote, and each has what was written last.

        Raises:
            BenchError: that does not come.
        """
        self._wait("all its servers", lambda: self._leader() is not None and self._all_vote())
        self._probes += 1
        value = b"%d" % self._probes
        self._wait("a write", lambda: self.leader().ask("PUT", _PROBE, value).status == 200)
        for server in self.servers:
            self._wait(
                f"{server.host} with the last write",
                lambda: server.ask("GET", f"{_PROBE}?raw&stale").body == value,  # noqa: B023
            )

    def settle(self) -> None:
        """Wait until none has more to do, or for half a minute each."""
        for server in self.servers:
            server.settle()

    def rss_mb(self) -> float:
        """The memory of a server, with what it started: the mean of the three."""
        return sum(server.rss_mb() for server in self.servers) / len(self.servers)

    def _all_vote(self) -> bool:
        answer = self.servers[0].ask("GET", "/v1/operator/raft/configuration")
        if answer.status != 200:
            return False
        voters = [peer for peer in json.loads(answer.body)["Servers"] if peer["Voter"]]
        return len(voters) == len(_HOSTS)

    def _wait(self, what: str, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            try:
                if is_there():
                    return
            except FAILURES:
                pass
            time.sleep(_POLL_S)
        raise BenchError(f"{self.name} has not {what} after {_PATIENCE_S:.0f} s")

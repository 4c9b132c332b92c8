"""The two that are compared. Both take the same flags and the same configuration file."""

from __future__ import annotations

import enum
import json
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.processes import FAIRLEAD, consul_binary, free_port

from bench.server import Server
from fairlead.version import __version__

__all__ = ["Mode", "Peer", "consul", "fairlead"]

# More than the 5 000 watchers and one writer; Consul's default is 200.
_CONNECTIONS = 15_000


class Mode(enum.Enum):
    """Whether an agent keeps what is written to it."""

    MEMORY = "memory"
    DURABLE = "durable"


class Peer(NamedTuple):
    """A program that speaks Consul's API."""

    name: str
    version: str
    program: list[str]

    def server(self, mode: Mode, folder: Path, *, with_dns: bool = False) -> Server:
        """A server of this peer that is not started yet, with all it has in `folder`."""
        folder.mkdir(parents=True)
        port = free_port()
        dns_port = free_port() if with_dns else -1
        config = folder / "agent.json"
        link_port = free_port()
        config.write_text(json.dumps(_config(port, dns_port, link_port)))
        flags = ["-dev"]
        if mode is Mode.DURABLE:
            flags = ["-server", "-bootstrap-expect=1", f"-data-dir={folder / 'data'}"]
        command = [*self.program, "agent", *flags, f"-config-file={config}"]
        return Server(self.name, command, port, folder / "agent.log", dns_port, link_port)


def fairlead() -> Peer:
    """The Fairlead of this tree."""
    return Peer("Fairlead", __version__, FAIRLEAD)


def consul() -> Peer | None:
    """A real Consul; None when it cannot be had."""
    binary = consul_binary()
    if binary is None:
        return None
    done = subprocess.run([binary, "version"], capture_output=True, text=True, check=False)
    first = done.stdout.partition("\n")[0]
    return Peer("Consul", first.removeprefix("Consul v"), [binary])


def _config(http_port: int, dns_port: int, link_port: int) -> dict[str, object]:
    names = ("serf_lan", "serf_wan")
    rest = {"dns": dns_port, "server": link_port, "grpc": -1, "https": -1}
    return {
        "bind_addr": "127.0.0.1",
        "disable_update_check": True,
        "limits": {"http_max_conns_per_client": _CONNECTIONS},
        "log_level": "warn",
        # Consul's advice for production; the default is for the smallest of machines.
        "performance": {"raft_multiplier": 1},
        "ports": {"http": http_port, **rest, **{name: free_port() for name in names}},
    }

"""Real agents as child processes: Fairlead's own, and Consul as the oracle."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAIRLEAD = [sys.executable, "-m", "fairlead"]
_START_S = 60.0
_STOP_S = 30.0
# Below what systems hand to outgoing connections (Linux from 32768 on, macOS from 49152): up
# there the client of another test may get the port before the agent does, or while it restarts.
_PORTS = range(10_000, 32_768)
# Hypothesis seeds the module's own generator, in every worker alike.
_random = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, a new one at each call."""
    for port in _random.sample(_PORTS, 1000):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError("of a thousand ports none is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As listeners do: what closed connections leave behind is not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


class AgentProcess:
    """One agent; `log` is the file both its outputs go to."""

    def __init__(self, command: Sequence[str], port: int, folder: Path, ready_path: str) -> None:
        self.command = list(command)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "agent.log"
        self._ready_path = ready_path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def launch(self) -> None:
        """Start it, and do not wait for it."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)

    def start(self) -> AgentProcess:
        self.launch()
        self.wait_ready()
        return self

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_ready(self) -> None:
        """It must answer within a while."""
        try:
            self._wait()
        except BaseException:
            self.kill()
            raise

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"{self.command} ended:\n{self.log.read_text()}")
            try:
                with urllib.request.urlopen(self.url + self._ready_path, timeout=2) as reply:
                    if reply.read().strip() not in (b'""', b"[]"):
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"{self.command} did not start:\n{self.log.read_text()}")

    def kill(self) -> None:
        """As a power failure would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self, timeout: float = _STOP_S) -> int:
        assert self._process is not None
        return self._process.wait(timeout)

    def stop(self) -> int:
        if self._process is None or self._process.poll() is not None:
            return self._process.returncode if self._process else 0
        self._process.terminate()
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()


def fairlead_agent(folder: Path, *flags: str, dev: bool = False, port: int = 0) -> AgentProcess:
    """An agent of ours on a free port, with its data in `folder`."""
    port = port or free_port()
    mode = ["-dev"] if dev else ["-server", "-bootstrap-expect=1", f"-data-dir={folder / 'data'}"]
    # They run side by side: DNS, and agents on other nodes, for those that name ports.
    ports = [f"-http-port={port}", "-dns-port=-1", "-server-port=-1", "-serf-lan-port=-1"]
    ports.append("-serf-wan-port=-1")
    command = [*FAIRLEAD, "agent", *mode, "-bind=127.0.0.1", *ports, *flags]
    return AgentProcess(command, port, folder, "/v1/status/leader")


def consul_binary() -> str | None:
    """The path of a real Consul, put into the cache when it can be had."""
    found = os.environ.get("FAIRLEAD_TEST_CONSUL") or shutil.which("consul")
    return found or peer("consul")


def peer(name: str) -> str | None:
    """The path of a program that `tools/get-peer` can bring; None when it cannot be had."""
    tool = ROOT / "tools" / "get-peer"
    try:
        done = subprocess.run(
            [tool, name], capture_output=True, text=True, timeout=300, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def consul_agent(binary: str, folder: Path, *flags: str) -> AgentProcess:
    """A single real Consul server, quick to elect itself."""
    port = free_port()
    names = ("dns", "server", "serf_lan", "serf_wan")
    ports = {name: free_port() for name in names} | {"dns": -1, "grpc": -1, "https": -1}
    config = {
        "ports": {**ports, "http": port},
        "bind_addr": "127.0.0.1",
        "disable_update_check": True,
        "performance": {"raft_multiplier": 1},
        "log_level": "warn",
    }
    path = folder / "consul.json"
    path.write_text(json.dumps(config))
    command = [binary, "agent", "-server", "-bootstrap-expect=1", f"-data-dir={folder / 'consul'}"]
    command += [f"-config-file={path}", *flags]
    return AgentProcess(command, port, folder, "/v1/catalog/nodes")

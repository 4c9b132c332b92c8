"""Network namespaces of the test's own: machines on one switch, whose cables can be pulled.

Nothing of it touches the network of the machine itself. Needs `ip` (iproute2)
and the right to make namespaces.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.processes import FAIRLEAD

__all__ = ["Machine", "Network", "why_not"]

_NOBODY = "02:00:00:00:00:ff"
_LATE = ["netem", "delay", "80ms", "40ms"]
_THIN = ["tbf", "rate", "300kbit", "burst", "4kb", "latency", "400ms"]


def why_not() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if shutil.which("ip") is None:
        return "ip is not installed (apt install iproute2)"
    name = f"fl{os.getpid()}-try"
    made = _run(["ip", "netns", "add", name], check=False)
    if made.returncode != 0:
        return f"network namespaces are not allowed here: {made.stderr.strip()}"
    linked = _run(
        ["ip", "-n", name, "link", "add", "name", "e0", "type", "veth", "peer", "name", "e1"],
        check=False,
    )
    bridged = _run(["ip", "-n", name, "link", "add", "name", "sw", "type", "bridge"], check=False)
    _run(["ip", "netns", "del", name], check=False)
    return (linked.stderr + bridged.stderr).strip()


def _run(command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=check)


class Machine:
    """One namespace with an agent in it."""

    def __init__(self, network: Network, name: str, address: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.space = network.space(name)
        self.log = folder / f"{name}.log"
        self.data = folder / name
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        command = [*FAIRLEAD, "agent", f"-node={self.name}", f"-bind={self.address}"]
        self.launch([*command, f"-data-dir={self.data}", *flags])

    def launch(self, command: Sequence[str], path: str = "") -> None:
        """Start an agent by its whole command line; `path` stands before PATH."""
        env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
        inside = ["ip", "netns", "exec", self.space]
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen([*inside, *command], stdout=log, stderr=log, env=env)

    def type(self, line: str, path: str = "") -> str:
        """What a command line prints here; empty when it fails."""
        env = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
        command = ["ip", "netns", "exec", self.space, "sh", "-c", line]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        return done.stdout if done.returncode == 0 else ""

    def ask(self, path: str, *options: str) -> Any:
        """What this machine's agent answers on 127.0.0.1:8500: JSON, or text; None for nothing."""
        inside = ["ip", "netns", "exec", self.space]
        command = [*inside, "curl", "-s", "-m", "12", *options, f"http://127.0.0.1:8500{path}"]
        done = _run(command, check=False)
        if done.returncode != 0:
            return None
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout

    def names(self, name: str) -> list[str]:
        """What this machine's DNS on 127.0.0.1:8600 says, in order."""
        inside = ["ip", "netns", "exec", self.space]
        command = ["dig", "+short", "+time=12", "+tries=1", "@127.0.0.1", "-p", "8600", name]
        done = _run([*inside, *command], check=False)
        return sorted(done.stdout.split()) if done.returncode == 0 else []

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """As an init system does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


class Network:
    """A switch, and the machines on it."""

    def __init__(self, folder: Path) -> None:
        self._prefix = f"fl{os.getpid()}"
        self._folder = folder
        self._spaces: list[str] = []
        self.machines: list[Machine] = []
        self._switch = self._add("switch")
        self._in(self._switch, "link", "add", "name", "sw", "type", "bridge")
        self._in(self._switch, "link", "set", "sw", "up")

    def space(self, name: str) -> str:
        return f"{self._prefix}-{name}"

    def _add(self, name: str) -> str:
        space = self.space(name)
        _run(["ip", "netns", "add", space])
        self._spaces.append(space)
        self._in(space, "link", "set", "lo", "up")
        return space

    def _in(self, space: str, *words: str) -> None:
        _run(["ip", "-n", space, *words])

    def machine(self, name: str) -> Machine:
        """One more, with a cable to the switch."""
        address = f"10.77.0.{len(self.machines) + 1}"
        space = self._add(name)
        cable = ["link", "add", "name", "eth0", "type", "veth", "peer", "name", name]
        self._in(space, *cable, "netns", self._switch)
        self._in(space, "addr", "add", f"{address}/24", "dev", "eth0")
        self._in(space, "link", "set", "eth0", "up")
        self._in(self._switch, "link", "set", name, "master", "sw", "up")
        self.machines.append(Machine(self, name, address, self._folder))
        return self.machines[-1]

    def pull(self, machine: Machine) -> None:
        """Pull the cable out at the switch: packets vanish, nobody is told."""
        self._in(self._switch, "link", "set", machine.name, "nomaster")

    def plug(self, machine: Machine) -> None:
        self._in(self._switch, "link", "set", machine.name, "master", "sw")

    def block(self, sender: Machine, receiver: Machine) -> None:
        """What one sends to the other vanishes; what it says back still arrives.

        The sender is given the hardware address of nobody for it.
        """
        nobody = ["lladdr", _NOBODY, "dev", "eth0", "nud", "permanent"]
        self._in(sender.space, "neigh", "replace", receiver.address, *nobody)

    def unblock(self, sender: Machine, receiver: Machine) -> None:
        self._in(sender.space, "neigh", "del", receiver.address, "dev", "eth0")

    def slow(self, machine: Machine) -> None:
        """Make its cable a bad one: late packets, or (without netem) little of them at a time."""
        for space, device in ((machine.space, "eth0"), (self._switch, machine.name)):
            command = ["tc", "-n", space, "qdisc", "replace", "dev", device, "root"]
            if _run([*command, *_LATE], check=False).returncode:
                _run([*command, *_THIN])

    def fast(self, machine: Machine) -> None:
        for space, device in ((machine.space, "eth0"), (self._switch, machine.name)):
            _run(["tc", "-n", space, "qdisc", "del", "dev", device, "root"])

    def processes(self, machine: Machine) -> list[int]:
        return [int(pid) for pid in _run(["ip", "netns", "pids", machine.space]).stdout.split()]

    def close(self) -> None:
        for machine in reversed(self.machines):
            machine.stop()
        for space in self._spaces:
            _run(["ip", "netns", "del", space], check=False)

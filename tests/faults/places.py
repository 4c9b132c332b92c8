"""Where servers and clients are: namespaces on a switch, or this machine as it is."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tests.cluster.namespaces import Machine, Network, why_not

__all__ = ["Cables", "Namespaces", "Place", "ThisMachine", "place_in"]

_MARK = "FAIRLEAD_FAULTS_SERVER"
_CLONE_NEWNET = 0x40000000


class Place(Protocol):
    """Addresses for servers, and how to be where they are."""

    what: str
    addresses: list[str]
    cables: Cables | None
    """None where the network cannot be touched."""

    def prefix(self, number: int) -> list[str]:
        """What goes before the command of that server."""

    def environment(self, number: int) -> dict[str, str]: ...

    def processes(self, number: int) -> list[int]:
        """All processes of that server, those it started included."""

    def enter(self) -> None:
        """Be, with this thread, where the clients are."""

    def close(self) -> None: ...


class Cables:
    """Who can hear whom. Faults may overlap: what two of them cut heals with the second."""

    def __init__(self, network: Network, machines: list[Machine], clients: Machine) -> None:
        self._network = network
        self._machines = machines
        self._clients = clients
        self._cuts: Counter[tuple[int, int]] = Counter()
        self.clients = len(machines)
        """The number that stands for the clients' machine."""

    def cut(self, sender: int, receiver: int) -> None:
        """What `sender` says does not reach `receiver`, and nobody is told."""
        self._cuts[sender, receiver] += 1
        if self._cuts[sender, receiver] == 1:
            self._network.block(self._machine(sender), self._machine(receiver))

    def mend(self, sender: int, receiver: int) -> None:
        self._cuts[sender, receiver] -= 1
        if self._cuts[sender, receiver] == 0:
            self._network.unblock(self._machine(sender), self._machine(receiver))

    def slow(self, number: int) -> None:
        self._network.slow(self._machine(number))

    def fast(self, number: int) -> None:
        self._network.fast(self._machine(number))

    def _machine(self, number: int) -> Machine:
        return self._clients if number == self.clients else self._machines[number]


class Namespaces:
    """A machine for each server and one for the clients, on one switch."""

    what = "network namespaces"

    def __init__(self, folder: Path, count: int) -> None:
        self._network = Network(folder)
        try:
            self._machines = [self._network.machine(f"s{number + 1}") for number in range(count)]
            self._clients = self._network.machine("clients")
        except BaseException:
            self._network.close()
            raise
        self.addresses = [machine.address for machine in self._machines]
        self.cables: Cables | None = Cables(self._network, self._machines, self._clients)

    def prefix(self, number: int) -> list[str]:
        return ["ip", "netns", "exec", self._machines[number].space]

    def environment(self, number: int) -> dict[str, str]:
        return dict(os.environ)

    def processes(self, number: int) -> list[int]:
        return self._network.processes(self._machines[number])

    def enter(self) -> None:
        """Of this thread alone; Python has `os.setns` from 3.12 on only."""
        libc = ctypes.CDLL(None, use_errno=True)
        space = os.open(f"/var/run/netns/{self._clients.space}", os.O_RDONLY)
        try:
            if libc.setns(space, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(space)

    def close(self) -> None:
        self._network.close()


class ThisMachine:
    """Plain processes at 127.x.y.z; the network cannot be touched."""

    def __init__(self, count: int, why: str) -> None:
        self.what = f"plain processes ({why})"
        number = os.getpid()
        net = f"127.{1 + number // 250 % 250}.{number % 250}"
        self.addresses = [f"{net}.{last + 1}" for last in range(count)]
        self.cables: Cables | None = None

    def prefix(self, number: int) -> list[str]:
        return []

    def environment(self, number: int) -> dict[str, str]:
        return {**os.environ, _MARK: self.addresses[number]}

    def processes(self, number: int) -> list[int]:
        mark = f"{_MARK}={self.addresses[number]}".encode()
        return [pid for pid in _pids() if mark in _environment_of(pid)]

    def enter(self) -> None:
        pass

    def close(self) -> None:
        for number in range(len(self.addresses)):
            for pid in self.processes(number):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit())


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def place_in(folder: Path, count: int, *, plain: bool) -> Place:
    """Namespaces where they are allowed, this machine otherwise."""
    why = "asked for" if plain else why_not()
    return ThisMachine(count, why) if why else Namespaces(folder, count)

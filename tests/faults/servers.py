"""The servers of a run: started, killed, paused, started again when they die by themselves."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from enum import Enum
from pathlib import Path

from tests.faults.launch import PORT, Cluster
from tests.faults.places import Place

__all__ = ["Server", "SmallDisk", "Whom"]

_DISK_BYTES = 384 * 1024 * 1024
"""etcd sets 128 MB aside before it has written anything."""
_RESTART_S = 1.0


class Whom(Enum):
    """Which processes of a server."""

    SERVER = "its own"
    ETCD = "the etcd beside it"
    ALL = "both"


class SmallDisk:
    """A file system in memory for one server; only root may mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.why_not = done.stderr.strip() if done.returncode else ""

    def fill(self) -> None:
        for block in (1 << 20, 1 << 12):
            filler = open(self.folder / "filler", "ab", buffering=0)  # noqa: SIM115
            with filler, contextlib.suppress(OSError):
                while filler.write(bytes(block)):
                    pass

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        if not self.why_not:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)


class Server:
    """One of them. `incarnation` counts its starts."""

    def __init__(self, number: int, place: Place, cluster: Cluster, folder: Path) -> None:
        self.number = number
        self.name = f"s{number + 1}"
        self.address = place.addresses[number]
        self.http = f"{self.address}:{PORT}"
        self.incarnation = 0
        self.deaths = 0
        """How often it ended without being told to."""
        self.wanted = False
        self.has_etcd = cluster.etcd
        self.log = folder / f"{self.name}.log"
        self.disk = SmallDisk(folder / self.name)
        self._place = place
        data = self.disk.folder / "data"
        self._command = [*place.prefix(number), *cluster.command(number, place.addresses, data)]
        self._process: subprocess.Popen[bytes] | None = None
        self._died = 0.0
        self._path = cluster.search_path()

    def start(self) -> None:
        self.wanted = True
        self.incarnation += 1
        environment = {**self._place.environment(self.number), "PATH": self._path}
        with open(self.log, "ab") as log:
            log.write(f"===== start {self.incarnation}\n".encode())
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environment)

    def kill(self, *, all_of_it: bool) -> None:
        """As `kill -9` of its process does, or as a power failure of its machine."""
        self.wanted = False
        if all_of_it:
            self.signal(signal.SIGKILL, Whom.ALL)
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: signal.Signals, whom: Whom) -> None:
        assert self._process is not None
        pids = [self._process.pid]
        if whom is not Whom.SERVER:
            pids = self._place.processes(self.number)
        if whom is Whom.ETCD:
            pids = [pid for pid in pids if _name_of(pid) == "etcd"]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def watch(self) -> None:
        """Start it again when it died by itself, as an init system does."""
        if not self.wanted or self._process is None or self._process.poll() is None:
            return
        if not self._died:
            self._died = time.monotonic()
            self.deaths += 1
        elif time.monotonic() - self._died > _RESTART_S:
            self._died = 0.0
            self.start()

    def close(self) -> None:
        self.kill(all_of_it=True)
        self.disk.remove()


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""

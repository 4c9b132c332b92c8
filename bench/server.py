"""One server process: start it, ask it, stop it, and see what it costs."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from bench.processes import family, processes

__all__ = ["Answer", "Server", "alone"]

_START_S = 60.0
_STOP_S = 60.0
_QUIET_S = 30.0
# A server counts as idle when it used less than this share of a core for this long.
_IDLE_SHARE = 0.05
_IDLE_S = 0.4
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    index: int
    body: bytes


class Server:
    """A peer's process, in a process group of its own: Ctrl-C is for us to pass on."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        port: int,
        log: Path,
        dns_port: int = -1,
        link_port: int = -1,
        host: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.host = host
        self.port = port
        self.dns_port = dns_port
        self.link_port = link_port
        self.url = f"http://{host}:{port}"
        self._command = list(command)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:  # nobody calls __exit__ then
            self.stop()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # ---------------------------------------------------------------- its life

    def start(self) -> None:
        """Start it and wait until it takes writes."""
        self.spawn()
        self.wait_until_writable()

    def wait_until_writable(self) -> None:
        """Raises: BenchError, when it ends or that does not come."""
        self._wait_for(lambda: self.ask("PUT", "/v1/kv/bench/ready", b"1").status, _START_S)

    def spawn(self) -> None:
        """Start it and wait for nothing."""
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True
            )

    def start_for(self, path: str, limit_s: float) -> float:
        """Start it; the seconds until the first good answer to a GET of `path`."""
        started = time.perf_counter()
        self.spawn()
        self._wait_for(lambda: self.ask("GET", path).status, limit_s)
        return time.perf_counter() - started

    def stop(self) -> None:
        """Ask it to end; make it end. Harmless when it has."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        started = _started_by(process.pid)
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
            _kill(started)

    def kill(self) -> None:
        """End it, and whatever it started, as a power failure would (kill -9)."""
        process = self._running()
        started = _started_by(process.pid)
        process.kill()
        _kill(started)
        process.wait()

    def pause(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    # ---------------------------------------------------------------- what it says and costs

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body)
            reply = connection.getresponse()
            return Answer(reply.status, int(reply.headers.get("X-Consul-Index", 0)), reply.read())
        finally:
            connection.close()

    def rss_mb(self) -> float:
        """The memory held by it and what it started, in units of 1024 * 1024 bytes."""
        members = family(self._running().pid, list(processes()))
        return sum(map(_rss_kb, members)) / 1024

    def settle(self) -> None:
        """Wait until it has nothing more to do, or for half a minute."""
        deadline = time.monotonic() + _QUIET_S
        while time.monotonic() < deadline:
            before = self.cpu_s()
            time.sleep(_IDLE_S)
            if self.cpu_s() - before < _IDLE_SHARE * _IDLE_S:
                return

    def cpu_s(self) -> float:
        """The time on a processor that it has used, the kernel's and its children's included."""
        everyone = list(processes())
        members = family(self._running().pid, everyone)
        return sum(each.ticks for each in everyone if each.pid in members) / _TICKS_PER_S

    # ---------------------------------------------------------------- the process

    def _running(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is None or process.poll() is not None:
            raise BenchError(f"{self.name} is not running: {self._last_words()}")
        return process

    def _wait_for(self, status: Callable[[], int], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            self._running()
            try:
                if status() == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.01)
        raise BenchError(f"{self.name} gave no answer for {limit_s:.0f} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _rss_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended meanwhile
        return 0
    found = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(next(found, "VmRSS: 0").split()[1])


def _started_by(pid: int) -> list[int]:
    """Handles of the processes below one: a number may be another's by the time it is used."""
    handles = []
    for child in family(pid, list(processes())) - {pid}:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(child))
    return handles


def _kill(handles: list[int]) -> None:
    """End them; who has ended by itself is well."""
    for handle in handles:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


@contextmanager
def alone(server: Server, servers: Sequence[Server]) -> Iterator[None]:
    """Stop all other servers for as long as this one is measured."""
    others = [other for other in servers if other is not server]
    for other in others:
        other.pause()
    try:
        yield
    finally:
        for other in others:
            other.resume()

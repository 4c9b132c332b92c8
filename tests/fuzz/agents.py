"""A real agent that is sent nonsense, and what must hold of it after every piece of it."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from tests.processes import AgentProcess, fairlead_agent

__all__ = ["Victim", "connect", "hear"]

_LIMIT_S = 30.0
_FAULTS = ("Traceback", "a request failed", "Fatal error", "never retrieved", "[ERROR]")
_SHOWN = 2000
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


def connect(port: int, *, source: str = "") -> socket.socket:
    """A connection on which every `send` is a packet of its own."""
    address = (source, 0) if source else None
    client = socket.create_connection(("127.0.0.1", port), _LIMIT_S, source_address=address)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def hear(client: socket.socket) -> bytes:
    """All that comes until the agent closes the connection, which it must do in time.

    A client that sends on behind a request which asked to close may find a reset behind the answer.
    """
    heard = bytearray()
    try:
        while data := client.recv(1 << 16):
            heard += data
    except ConnectionResetError:
        pass
    return bytes(heard)


class Victim:
    """An agent with a SQLite file; blocking reads last a twentieth of a second at most."""

    def __init__(self, folder: Path, *flags: str) -> None:
        quick = '-hcl=default_query_time="50ms" max_query_time="50ms"'
        self.process: AgentProcess = fairlead_agent(folder, quick, *flags)
        self.process.start()
        self.port = self.process.port
        self._read = 0
        self._client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_LIMIT_S)

    def close(self) -> None:
        self._client.close()
        self.process.stop()

    def say(self, chunks: Iterable[bytes]) -> bytes:
        """What a new connection hears to `chunks` until it is closed."""
        with connect(self.port) as client:
            try:
                for chunk in chunks:
                    client.sendall(chunk)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it was closed on us: what it said before that is still to be heard
            return hear(client)

    def check(self) -> None:
        """It lives, logged no fault, and serves another client."""
        try:
            self._check()
        except (AssertionError, OSError, http.client.HTTPException):
            self._restart()
            raise

    def _check(self) -> None:
        value = os.urandom(8).hex()
        assert self.request("PUT", "/v1/kv/alive", value) == (200, b"true")
        assert self.request("GET", "/v1/kv/alive?raw") == (200, value.encode())
        log = self.process.log.read_bytes()
        new, self._read = log[self._read :].decode(errors="replace"), len(log)
        assert not any(fault in new for fault in _FAULTS), new[-_SHOWN:]

    def _restart(self) -> None:
        """Begin afresh, so that hypothesis can look for a smaller example."""
        self._client.close()
        self.process.kill()
        self.process.start()
        self._read = len(self.process.log.read_bytes())

    def request(self, method: str, target: str, body: str = "") -> tuple[int, bytes]:
        """What another client, who keeps its connection, is answered."""
        self._client.request(method, target, body or None)
        response = self._client.getresponse()
        return response.status, response.read()

    def resident_bytes(self) -> int:
        """The memory the agent occupies."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * _PAGE_BYTES

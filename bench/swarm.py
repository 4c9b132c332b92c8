"""Many connections to one server, in one thread and one epoll loop."""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType

from bench.errors import BenchError

__all__ = ["Swarm", "body", "header", "is_whole", "status"]

_RECEIVE_BYTES = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\nContent-Length: "


def is_whole(data: bytes) -> bool:
    """Whether an answer has come to its end, by its length or by its last chunk.

    >>> is_whole(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\ntru")
    False
    """
    head = data.find(_END_OF_HEAD)
    if head < 0:
        return False
    at = data.find(_LENGTH, 0, head)
    if at < 0:
        return data.endswith(b"\r\n0\r\n\r\n")
    at += len(_LENGTH)
    end = data.index(b"\r\n", at)
    return len(data) - head - len(_END_OF_HEAD) >= int(data[at:end])


def status(answer: bytes) -> int:
    """The status of an answer.

    >>> status(b"HTTP/1.1 404 Not Found\\r\\n\\r\\n")
    404
    """
    return int(answer[9:12])


def header(answer: bytes, name: bytes) -> bytes:
    """A header as Consul spells it; empty when there is none."""
    found = answer.partition(_END_OF_HEAD)[0].partition(b"\r\n" + name + b": ")[2]
    return found.partition(b"\r\n")[0]


def body(answer: bytes) -> bytes:
    """What follows the head."""
    return answer.partition(_END_OF_HEAD)[2]


class Swarm:
    """Connections by their number; each may wait for one answer at a time."""

    def __init__(self, port: int, count: int) -> None:
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._parts: dict[int, bytes] = {}
        self._space = memoryview(bytearray(_RECEIVE_BYTES))
        try:
            for _ in range(count):
                self._connect(port)
        except OSError as error:
            self.close()
            raise BenchError(f"cannot open {count} connections: {error.strerror}") from error

    def __enter__(self) -> Swarm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def members(self) -> list[int]:
        """The numbers of the connections."""
        return list(self._sockets)

    def send(self, member: int, message: bytes) -> None:
        """Send a request, which must fit into the connection's buffer."""
        if self._sockets[member].send(message) != len(message):
            raise BenchError("a request did not fit into the connection's buffer")

    def receive(self, timeout_s: float) -> list[tuple[int, bytes]]:
        """The whole answers that have come, at least one, and whose; none when time is over.

        Raises:
            BenchError: a connection was closed.
        """
        deadline = time.monotonic() + timeout_s
        answers: list[tuple[int, bytes]] = []
        while not answers and timeout_s >= 0:
            self._receive(timeout_s, answers)
            timeout_s = deadline - time.monotonic()
        return answers

    def close(self) -> None:
        """Close every connection."""
        for each in self._sockets.values():
            each.close()
        self._sockets.clear()
        self._epoll.close()

    def _connect(self, port: int) -> None:
        one = socket.create_connection(("127.0.0.1", port), 30)
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[one.fileno()] = one
        self._epoll.register(one.fileno(), select.EPOLLIN)

    def _receive(self, timeout_s: float, answers: list[tuple[int, bytes]]) -> None:
        sockets, parts, space = self._sockets, self._parts, self._space
        for member, _ in self._epoll.poll(timeout_s, len(sockets)):
            size = sockets[member].recv_into(space)
            if not size:
                raise BenchError("a connection was closed before its answer")
            data = space[:size].tobytes()
            if member in parts:
                data = parts.pop(member) + data
            if is_whole(data):
                answers.append((member, data))
            else:
                parts[member] = data

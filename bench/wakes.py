"""How soon a blocking read at a follower is answered after a write at the leader.

Timed is from the leader's answer to the write until the answer to the read; 0
when the reader woke first. One reader, one key, one write at a time.
"""

from __future__ import annotations

import random
import select
import socket
import time
from statistics import median, quantiles
from typing import NamedTuple

from bench.errors import BenchError
from bench.server import Server
from bench.swarm import header, is_whole, status
from bench.three import Cluster

__all__ = ["measure"]

_PATH = "/v1/kv/bench/woken"
# The reader must be parked by then; longer by chance, so that no timer of a server is met always.
_PARKED_S = (0.01, 0.03)
_PATIENCE_S = 20.0
_RECEIVE_BYTES = 64 * 1024


def measure(cluster: Cluster, wakes: int, mode: str) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds; `mode` is `stale`, or empty for default reads.

    Raises:
        BenchError: a reader is answered too early, wrongly or never.
    """
    follower, leader = random.choice(cluster.followers()), cluster.leader()
    times_ms = []
    with _connected(follower) as reader, _connected(leader) as writer:
        writer.sendall(_put(leader, 0))
        _receive(cluster.name, [writer])
        index = leader.ask("GET", _PATH).index
        for number in range(1, wakes + 1):
            reader.sendall(_get(follower, index, mode))
            time.sleep(random.uniform(*_PARKED_S))
            if select.select([reader], [], [], 0)[0]:
                raise BenchError(f"{cluster.name} answered a reader though nothing changed")
            writer.sendall(_put(leader, number))
            answers = _receive(cluster.name, [reader, writer])
            late_s = answers[reader].at - answers[writer].at
            times_ms.append(1000 * max(late_s, 0.0))
            index = int(header(answers[reader].text, b"X-Consul-Index"))
    return median(times_ms), quantiles(times_ms, n=100)[98]


class _Answer(NamedTuple):
    at: float
    text: bytes


def _connected(server: Server) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), _PATIENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _get(server: Server, index: int, mode: str) -> bytes:
    target = f"{_PATH}?index={index}&wait=1m{'&' if mode else ''}{mode}"
    return f"GET {target} HTTP/1.1\r\nHost: {server.host}\r\n\r\n".encode()


def _put(server: Server, number: int) -> bytes:
    head = f"PUT {_PATH} HTTP/1.1\r\nHost: {server.host}\r\nContent-Length: 20\r\n\r\n"
    return head.encode() + b"%020d" % number


def _receive(name: str, connections: list[socket.socket]) -> dict[socket.socket, _Answer]:
    """The answer on each connection, and when it was whole."""
    texts = dict.fromkeys(connections, b"")
    answers: dict[socket.socket, _Answer] = {}
    while len(answers) < len(connections):
        waiting = [each for each in connections if each not in answers]
        ready = select.select(waiting, [], [], _PATIENCE_S)[0]
        at = time.perf_counter()
        if not ready:
            raise BenchError(f"{name} did not wake a reader, or did not answer a write")
        for each in ready:
            data = each.recv(_RECEIVE_BYTES)
            texts[each] += data
            if is_whole(texts[each]):
                answers[each] = _Answer(at, texts[each])
            elif not data:
                raise BenchError(f"{name} closed a connection before its answer")
    bad = [answer.text for answer in answers.values() if status(answer.text) != 200]
    if bad:
        raise BenchError(f"{name} answered {bad[0][:200]!r}")
    return answers

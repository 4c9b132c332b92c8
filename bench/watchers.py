"""Thousands of blocking reads of one thing: what they cost as they wait, and how fast they wake.

They watch a key, or the passing instances of a service. The memory is that of a
server just started, with nothing done but parking the watchers. Then a PUT is
sent, and the time taken until the last watcher has its answer. The PUT's own
answer is one more event of the same loop: whether a server sends it before,
among or after the others is its business.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.figures import Figure, at_most_times
from bench.peers import Mode, Peer
from bench.rounds import in_turn
from bench.server import Server
from bench.services import REGISTER, registration
from bench.swarm import Swarm, header, status

__all__ = ["HEALTH", "KEY", "Subject", "measure"]

_WAKES = 3
_PATIENCE_S = 60.0


class Subject(NamedTuple):
    """What is watched, and how it is changed: a body for each number."""

    name: str
    watchers: str
    path: str
    write: str
    body: Callable[[int], bytes]


def _health(number: int) -> bytes:
    """One of the instances fails, or is well again."""
    return registration("watched", 0, "critical" if number % 2 else "passing")


KEY = Subject(
    "watchers", "watchers", "/v1/kv/bench/watched", "/v1/kv/bench/watched", b"%020d".__mod__
)
HEALTH = Subject(
    "health-watchers",
    "watchers of a service's health",
    "/v1/health/service/watched?passing",
    REGISTER,
    _health,
)


class _Turn(NamedTuple):
    rss_mb: float
    times_ms: list[float]


def measure(
    subject: Subject, peers: Sequence[Peer], watchers: int, rounds: int, folder: Path
) -> list[Figure]:
    """Memory once a round, on a fresh process; time three times a round."""
    places = (folder / str(number) for number in count(1))

    def one_turn(peer: Peer) -> _Turn:
        with peer.server(Mode.DURABLE, next(places)) as server:
            return _one_turn(subject, server, watchers)

    reached = in_turn(subject.name, peers, rounds, one_turn)
    memory = {name: [turn.rss_mb for turn in turns] for name, turns in reached.items()}
    times = {
        name: list(chain.from_iterable(turn.times_ms for turn in turns))
        for name, turns in reached.items()
    }
    many = f"{watchers:,} {subject.watchers}".replace(",", " ")
    half, least = at_most_times(0.5), at_most_times(1.0)
    return [
        Figure(f"{subject.name}-time", f"{many}: PUT to last answer", " ms", times, half),
        Figure(f"{subject.name}-memory", f"{many}: memory while parked", " MB", memory, least),
    ]


def _one_turn(subject: Subject, server: Server, many: int) -> _Turn:
    """The memory with all parked, and the times of some wakes."""
    server.ask("PUT", subject.write, subject.body(0))
    index = server.ask("GET", subject.path).index
    with Swarm(server.port, many + 1) as swarm:
        writer, *watchers = swarm.members
        _park(subject, server, swarm, watchers, index)
        rss_mb = server.rss_mb()
        times_ms = []
        for number in range(1, _WAKES + 1):
            message = _put(server, subject.write, subject.body(number))
            elapsed_ms, index = _wake(server, swarm, writer, message)
            times_ms.append(elapsed_ms)
            if number < _WAKES:
                _park(subject, server, swarm, watchers, index)
    return _Turn(rss_mb, times_ms)


def _park(subject: Subject, server: Server, swarm: Swarm, watchers: list[int], index: int) -> None:
    """Have every watcher ask, and wait until the server is at rest."""
    target = f"{subject.path}{'&' if '?' in subject.path else '?'}index={index}&wait=9m"
    question = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    for watcher in watchers:
        swarm.send(watcher, question)
    server.settle()
    if swarm.receive(0):
        raise BenchError(f"{server.name} answered a watcher though nothing changed")


def _put(server: Server, path: str, body: bytes) -> bytes:
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _wake(server: Server, swarm: Swarm, writer: int, message: bytes) -> tuple[float, int]:
    """Milliseconds from sending a PUT to the last watcher's answer, and the index they got."""
    expected = len(swarm.members) - 1
    is_written = False
    answers: list[bytes] = []
    started = last = time.perf_counter()
    swarm.send(writer, message)
    while len(answers) < expected or not is_written:
        arrived = swarm.receive(_PATIENCE_S)
        if not arrived:
            raise BenchError(f"{server.name} answered {len(answers)} of {expected} watchers")
        for member, answer in arrived:
            if member == writer:
                is_written = True
            else:
                answers.append(answer)
                last = time.perf_counter()
    return (last - started) * 1000, _checked_index(server, answers)


def _checked_index(server: Server, answers: list[bytes]) -> int:
    """The index of the answers, which must be one and the same."""
    found = {(status(answer), header(answer, b"X-Consul-Index")) for answer in answers}
    if len(found) != 1 or next(iter(found))[0] != 200:
        raise BenchError(f"{server.name} gave the watchers unequal answers: {found}")
    return int(next(iter(found))[1])

"""Thousands of blocking reads on one key: what they cost while they wait, and how fast they wake.

The memory is that of a server just started, with nothing done but parking the
watchers. Then a PUT is sent, and the time taken until the last watcher has its
answer. The PUT's own answer is one more event of the same loop: whether a
server sends it before, among or after the others is its business.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.figures import Figure, at_most_times
from bench.peers import Mode, Peer
from bench.rounds import in_turn
from bench.server import Server
from bench.swarm import Swarm, header, status

__all__ = ["measure"]

_PATH = "/v1/kv/bench/watched"
_WAKES = 3
_PATIENCE_S = 60.0


class _Turn(NamedTuple):
    rss_mb: float
    times_ms: list[float]


def measure(peers: Sequence[Peer], watchers: int, rounds: int, folder: Path) -> list[Figure]:
    """Memory once a round, on a fresh process; time three times a round."""
    places = (folder / str(number) for number in count(1))

    def one_turn(peer: Peer) -> _Turn:
        with peer.server(Mode.DURABLE, next(places)) as server:
            return _one_turn(server, watchers)

    reached = in_turn("watchers", peers, rounds, one_turn)
    memory = {name: [turn.rss_mb for turn in turns] for name, turns in reached.items()}
    times = {
        name: list(chain.from_iterable(turn.times_ms for turn in turns))
        for name, turns in reached.items()
    }
    many = f"{watchers:,} watchers".replace(",", " ")
    return [
        Figure("watchers-time", f"{many}: PUT to last answer", " ms", times, at_most_times(0.5)),
        Figure(
            "watchers-memory", f"{many}: memory while parked", " MB", memory, at_most_times(1.0)
        ),
    ]


def _one_turn(server: Server, many: int) -> _Turn:
    """The memory with all parked, and the times of some wakes."""
    server.ask("PUT", _PATH, b"0")
    index = server.ask("GET", _PATH).index
    with Swarm(server.port, many + 1) as swarm:
        writer, *watchers = swarm.members
        _park(server, swarm, watchers, index)
        rss_mb = server.rss_mb()
        times_ms = []
        for number in range(1, _WAKES + 1):
            elapsed_ms, index = _wake(server, swarm, writer, b"%020d" % number)
            times_ms.append(elapsed_ms)
            if number < _WAKES:
                _park(server, swarm, watchers, index)
    return _Turn(rss_mb, times_ms)


def _park(server: Server, swarm: Swarm, watchers: list[int], index: int) -> None:
    """Have every watcher ask, and wait until the server is at rest."""
    host = f"127.0.0.1:{server.port}"
    question = f"GET {_PATH}?index={index}&wait=9m HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    for watcher in watchers:
        swarm.send(watcher, question)
    server.settle()
    if swarm.receive(0):
        raise BenchError(f"{server.name} answered a watcher though nothing changed")


def _wake(server: Server, swarm: Swarm, writer: int, value: bytes) -> tuple[float, int]:
    """Milliseconds from sending a PUT to the last watcher's answer, and the index they got."""
    host = f"127.0.0.1:{server.port}"
    head = f"PUT {_PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(value)}\r\n\r\n"
    message = head.encode() + value
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

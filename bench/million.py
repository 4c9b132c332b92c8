"""A million keys: how fast they come in, what memory they take, how soon a restart serves them.

They are loaded by transactions over a few connections into a durable server,
which is then told to end (SIGTERM) and started again on what it left on disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, Target, at_most
from bench.peers import Mode, Peer
from bench.pour import pour
from bench.rounds import in_turn, say
from bench.server import Server

__all__ = ["MILLION", "measure"]

MILLION = 1_000_000
_TXN_OPS = 64
_RESTART_S = 300.0
_SAY_EVERY = 250_000 // _TXN_OPS


class _Turn(NamedTuple):
    keys_per_s: float
    rss_mb: float
    start_s: float
    rss_again_mb: float


def measure(peers: Sequence[Peer], count: int, folder: Path) -> list[Figure]:
    """Each peer once, one after the other."""
    places = (folder / str(number) for number in itertools.count(1))

    def one_turn(peer: Peer) -> _Turn:
        with peer.server(Mode.DURABLE, next(places)) as server:
            return _one_turn(server, count)

    reached = in_turn("million", peers, 1, one_turn)
    keys = f"{count:,} keys".replace(",", " ")
    is_whole = count >= MILLION
    memory, start = (at_most(1024), at_most(15)) if is_whole else (None, None)

    def figure(
        name: str, title: str, unit: str, of: Callable[[_Turn], float], target: Target | None = None
    ) -> Figure:
        rounds = {name: [of(turn) for turn in turns] for name, turns in reached.items()}
        return Figure(f"million-{name}", f"{keys}: {title}", unit, rounds, target)

    return [
        figure("load", "loading, durable", " keys/s", lambda turn: turn.keys_per_s),
        figure("memory", "memory with them", " MB", lambda turn: turn.rss_mb, memory),
        figure("start", "start to first GET", " s", lambda turn: turn.start_s, start),
        figure("memory-again", "memory after it", " MB", lambda turn: turn.rss_again_mb, memory),
    ]


def _one_turn(server: Server, count: int) -> _Turn:
    keys_per_s = _load(server, count)
    server.settle()
    rss_mb = server.rss_mb()
    server.stop()
    say(f"  {server.name} starts again")
    start_s = server.start_for(f"/v1/kv/{_key(count - 1)}", _RESTART_S)
    server.settle()
    return _Turn(keys_per_s, rss_mb, start_s, server.rss_mb())


def _load(server: Server, count: int) -> float:
    """Keys a second."""
    return count / pour(server, _messages(server.port, count), _SAY_EVERY)


def _messages(port: int, count: int) -> Iterator[bytes]:
    for first in range(0, count, _TXN_OPS):
        numbers = range(first, min(first + _TXN_OPS, count))
        content = f"[{','.join(map(_operation, numbers))}]"
        yield (
            f"PUT /v1/txn HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}"
        ).encode()


def _operation(number: int) -> str:
    """A set; 26 digits, "A" and "=" are base64 for 20 bytes."""
    return f'{{"KV":{{"Verb":"set","Key":"{_key(number)}","Value":"{number:026d}A="}}}}'


def _key(number: int) -> str:
    """
    >>> _key(123456)
    'load/123/key-0123456'
    """
    return f"load/{number // 1000:03d}/key-{number:07d}"

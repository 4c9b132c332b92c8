"""Sending a server very many requests, each connection its next as soon as it is answered."""

from __future__ import annotations

import time
from collections.abc import Iterator

from bench.errors import BenchError
from bench.rounds import say
from bench.server import Server
from bench.swarm import Swarm, body, status

__all__ = ["pour"]

_CONNECTIONS = 16
_PATIENCE_S = 60.0


def pour(server: Server, messages: Iterator[bytes], say_every: int) -> float:
    """Send them all; the seconds from the first to the last answer.

    Raises:
        BenchError: one was refused, or nothing is answered any more.
    """
    done = 0
    started = time.perf_counter()
    with Swarm(server.port, _CONNECTIONS) as swarm:
        busy = 0
        for member, message in zip(swarm.members, messages, strict=False):
            swarm.send(member, message)
            busy += 1
        while busy:
            answers = swarm.receive(_PATIENCE_S)
            if not answers:
                raise BenchError(f"{server.name} did not answer for {_PATIENCE_S:.0f} s")
            for member, answer in answers:
                if status(answer) != 200:
                    raise BenchError(f"{server.name} refused: {body(answer)[:200]!r}")
                done += 1
                if not done % say_every:
                    say(f"  {server.name} has taken {done:,} requests")
                following = next(messages, None)
                if following is None:
                    busy -= 1
                else:
                    swarm.send(member, following)
    return time.perf_counter() - started

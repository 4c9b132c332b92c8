"""Ten thousand services of three instances: how fast they come in, and what memory they take.

They are registered one by one in a durable server, each with a check, as an
agent would. The server is then told to end and started again on what it kept.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.figures import Figure, Target, at_most_times
from bench.peers import Mode, Peer
from bench.pour import pour
from bench.rounds import in_turn, say
from bench.server import Server

__all__ = ["INSTANCES", "NODES", "REGISTER", "measure", "registration"]

REGISTER = "/v1/catalog/register"
INSTANCES = 3
NODES = 1000
_RESTART_S = 120.0
_SAY_EVERY = 10_000


class _Turn(NamedTuple):
    registrations_per_s: float
    rss_mb: float
    start_s: float
    rss_again_mb: float


def registration(service: str, instance: int, status: str = "passing") -> bytes:
    """The body that registers an instance of a service, which has a check, on one of the nodes."""
    node, service_id = instance % NODES, f"{service}-{instance}"
    check = {"CheckID": f"service:{service_id}", "Name": f"Service '{service}' check"}
    output = "HTTP GET http://localhost/health: 200 OK Output: ok"
    return json.dumps(
        {
            "Node": f"node-{node:04d}",
            "Address": f"10.0.{node // 250}.{node % 250}",
            "Service": {
                "ID": service_id,
                "Service": service,
                "Tags": ["v1", f"zone-{node % 3}"],
                "Meta": {"version": "1.2.3"},
                "Port": 8000 + instance % 1000,
            },
            "Check": {**check, "Status": status, "ServiceID": service_id, "Output": output},
        }
    ).encode()


def measure(peers: Sequence[Peer], services: int, folder: Path) -> list[Figure]:
    """Each peer once, one after the other."""
    places = (folder / str(number) for number in itertools.count(1))

    def one_turn(peer: Peer) -> _Turn:
        with peer.server(Mode.DURABLE, next(places)) as server:
            return _one_turn(server, services)

    reached = in_turn("services", peers, 1, one_turn)
    many = f"{services:,} services x {INSTANCES}".replace(",", " ")

    def figure(
        name: str, title: str, unit: str, of: Callable[[_Turn], float], target: Target | None = None
    ) -> Figure:
        rounds = {name: [of(turn) for turn in turns] for name, turns in reached.items()}
        return Figure(f"services-{name}", f"{many}: {title}", unit, rounds, target)

    least = at_most_times(1.0)
    return [
        figure("load", "registering, durable", "/s", lambda turn: turn.registrations_per_s),
        figure("memory", "memory with them", " MB", lambda turn: turn.rss_mb, least),
        figure("start", "start to first answer", " s", lambda turn: turn.start_s),
        figure("memory-again", "memory after it", " MB", lambda turn: turn.rss_again_mb, least),
    ]


def _one_turn(server: Server, services: int) -> _Turn:
    registrations_per_s = (
        services * INSTANCES / pour(server, _messages(server.port, services), _SAY_EVERY)
    )
    server.settle()
    rss_mb = server.rss_mb()
    server.stop()
    say(f"  {server.name} starts again")
    start_s = server.start_for(f"/v1/health/service/{_name(services - 1)}?passing", _RESTART_S)
    server.settle()
    return _Turn(registrations_per_s, rss_mb, start_s, server.rss_mb())


def _messages(port: int, services: int) -> Iterator[bytes]:
    """The instances in the order of their numbers: one name's follow each other, on three nodes."""
    for number in range(services * INSTANCES):
        content = registration(_name(number // INSTANCES), number)
        yield (
            f"PUT {REGISTER} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        ).encode() + content


def _name(number: int) -> str:
    return f"service-{number:05d}"

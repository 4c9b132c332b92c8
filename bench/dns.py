"""DNS questions under load: SRV and A of many services in turn, sent by dnsperf."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.errors import BenchError
from bench.figures import Figure, at_least
from bench.packages import install
from bench.peers import Mode, Peer
from bench.rounds import in_turn
from bench.server import Server, alone

__all__ = ["measure"]

_SERVICES = 1000
_INSTANCES = 3
_NODES = 100
_CLIENTS = 8
_OUTSTANDING = 200
# So that every name was asked for before it counts.
_WARM_UP_S = 2
_TITLE = "DNS, SRV and A mixed, 1 000 services"
_RATE = re.compile(r"^ *Queries per second: +([\d.]+)$", re.MULTILINE)
_LOST = re.compile(r"^ *Queries lost: +\d+ \(([\d.]+)%\)$", re.MULTILINE)
_CODES = re.compile(r"^ *Response codes: +NOERROR \d+ \(100\.00%\)$", re.MULTILINE)
_MOST_LOST_PERCENT = 1.0


def measure(peers: Sequence[Peer], rounds: int, seconds: int, folder: Path) -> list[Figure]:
    """Answers a second of each peer.

    Raises:
        BenchError: there is no dnsperf; a peer lost questions or answered them with errors.
    """
    install("dnsperf")
    folder.mkdir(parents=True)
    questions = folder / "questions.txt"
    questions.write_text(
        "".join(
            f"bench-{number}.service.consul {type_}\n"
            for number in range(_SERVICES)
            for type_ in ("SRV", "A")
        )
    )
    with ExitStack() as stack:
        servers = []
        for peer in peers:
            server = stack.enter_context(
                peer.server(Mode.MEMORY, folder / peer.name, with_dns=True)
            )
            _register(server)
            servers.append(server)

        def one_turn(server: Server) -> float:
            with alone(server, servers):
                return _load(server, questions, seconds)

        for server in servers:
            with alone(server, servers):
                _load(server, questions, _WARM_UP_S)
        reached = in_turn("dns", servers, rounds, one_turn)
    return [Figure("dns", _TITLE, "/s", reached, at_least(3.0))]


def _register(server: Server) -> None:
    """The services, each with instances on some of the nodes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for number in range(_SERVICES * _INSTANCES):
        node, service = number % _NODES, f"bench-{number // _INSTANCES}"
        check = {"CheckID": f"{service}-{number}", "Name": "check", "Status": "passing"}
        body = {
            "Node": f"node-{node}",
            "Address": f"10.0.0.{node}",
            "Service": {"ID": f"{service}-{number}", "Service": service, "Port": 8000 + number},
            "Check": {**check, "ServiceID": f"{service}-{number}"},
        }
        connection.request("PUT", "/v1/catalog/register", json.dumps(body))
        answer = connection.getresponse()
        if answer.read().strip() != b"true":
            raise BenchError(f"{server.name} refused the services to look for")
    connection.close()


def _load(server: Server, questions: Path, seconds: int) -> float:
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.dns_port), "-d", str(questions)]
    command += ["-l", str(seconds), "-c", str(_CLIENTS), "-q", str(_OUTSTANDING)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rate, lost = _RATE.search(done.stdout), _LOST.search(done.stdout)
    if rate is None or lost is None:
        raise BenchError(f"dnsperf failed: {done.stderr.strip() or done.stdout.strip()}")
    if float(lost[1]) > _MOST_LOST_PERCENT or not _CODES.search(done.stdout):
        raise BenchError(f"{server.name} lost questions or answered with errors: {lost[0].strip()}")
    return float(rate[1])

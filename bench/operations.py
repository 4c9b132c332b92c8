"""What wrk measures: the list, what must be there before, and how a round goes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from itertools import count, islice
from typing import NamedTuple

from bench import services, wrk
from bench.errors import BenchError
from bench.figures import Figure, Target, at_least
from bench.peers import Mode
from bench.rounds import in_turn
from bench.server import Server, alone
from bench.wrk import Load

__all__ = ["OPERATIONS", "Operation", "measure", "seed"]

_PREFIX_KEYS = 1000
_RANDOM_KEYS = 10_000
_VALUE = b64encode(b"a value, 20 bytes...").decode()
_TXN_OPS = 64
_WEB_INSTANCES = 3
# Reads whose index is that of the last change: to any key (it is what a key that is not there
# reports), and to any instance of a service.
_KEYS = "/v1/kv/bench/absent"
_SERVICES = "/v1/catalog/services"
# Each run of wrk gets another, so that no run writes what the one before wrote.
_salts = count(1)


class Operation(NamedTuple):
    """One line of the table."""

    name: str
    title: str
    mode: Mode
    load: Load
    target: Target | None = None
    writes: str = ""
    """The path of a read whose index every write raises; empty when nothing is written."""


# Reads are measured on the durable servers: Consul's -dev indents its JSON, which costs it time.
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "get-1",
        "GET one key, 1 connection",
        Mode.DURABLE,
        Load(1, "/v1/kv/bench/one"),
    ),
    Operation(
        "get-64",
        "GET one key, 64 connections",
        Mode.DURABLE,
        Load(64, "/v1/kv/bench/one"),
        at_least(1.5),
    ),
    Operation(
        "get-random-64",
        "GET one of 10 000 keys, 64 connections",
        Mode.DURABLE,
        Load(64, script="get_random.lua"),
    ),
    Operation(
        "prefix-64",
        "GET a prefix of 1 000 keys, 64 connections",
        Mode.DURABLE,
        Load(64, "/v1/kv/bench/prefix/?recurse"),
        at_least(1.5),
    ),
    Operation(
        "put-durable-1",
        "PUT, durable, 1 connection",
        Mode.DURABLE,
        Load(1, script="put.lua"),
        writes=_KEYS,
    ),
    Operation(
        "put-durable-64",
        "PUT, durable, 64 connections",
        Mode.DURABLE,
        Load(64, script="put.lua"),
        at_least(2.0),
        writes=_KEYS,
    ),
    Operation(
        "txn-durable-16",
        "transaction of 64 sets, durable, 16 connections",
        Mode.DURABLE,
        Load(16, script="txn.lua"),
        at_least(1.0),
        writes=_KEYS,
    ),
    Operation(
        "health-64",
        "GET the passing instances of a service, 64 connections",
        Mode.DURABLE,
        Load(64, "/v1/health/service/web?passing"),
        at_least(2.5),
    ),
    Operation(
        "register-durable-64",
        "catalog/register, durable, 64 connections",
        Mode.DURABLE,
        Load(64, script="register.lua"),
        at_least(2.0),
        writes=_SERVICES,
    ),
    Operation(
        "put-memory-1",
        "PUT, in memory, 1 connection",
        Mode.MEMORY,
        Load(1, script="put.lua"),
        writes=_KEYS,
    ),
    Operation(
        "put-memory-64",
        "PUT, in memory, 64 connections",
        Mode.MEMORY,
        Load(64, script="put.lua"),
        at_least(1.5),
        writes=_KEYS,
    ),
    Operation(
        "txn-memory-16",
        "transaction of 64 sets, in memory, 16 connections",
        Mode.MEMORY,
        Load(16, script="txn.lua"),
        at_least(1.0),
        writes=_KEYS,
    ),
)


def seed(server: Server) -> None:
    """Write what the reads will ask for."""
    keys = ["bench/one"]
    keys += [f"bench/prefix/{number:04d}" for number in range(_PREFIX_KEYS)]
    keys += [f"bench/random/{number:05d}" for number in range(_RANDOM_KEYS)]
    rest = iter(keys)
    while chunk := list(islice(rest, _TXN_OPS)):
        body = json.dumps([_set(key) for key in chunk]).encode()
        answer = server.ask("PUT", "/v1/txn", body)
        if answer.status != 200:
            raise BenchError(f"{server.name} refused the keys to read: {answer.body!r}")
    for number in range(_WEB_INSTANCES):
        answer = server.ask("PUT", services.REGISTER, services.registration("web", number))
        if answer.status != 200:
            raise BenchError(f"{server.name} refused the service to read: {answer.body!r}")


def measure(
    operation: Operation, servers: Sequence[Server], rounds: int, seconds: int
) -> list[Figure]:
    """Load the servers in turn, after a second each that does not count."""

    def one_turn(server: Server) -> float:
        with alone(server, servers):
            return _load(operation, server, seconds)

    for server in servers:
        with alone(server, servers):
            _load(operation, server, 1)
    reached = in_turn(operation.name, servers, rounds, one_turn)
    return [Figure(operation.name, operation.title, "/s", reached, operation.target)]


def _load(operation: Operation, server: Server, seconds: int) -> float:
    """Answers a second.

    Raises:
        BenchError: a request failed, or was answered without being carried out.
    """
    counted = operation.writes
    before = server.ask("GET", counted).index if counted else 0
    run = wrk.run(server, operation.load, seconds, next(_salts))
    if counted and server.ask("GET", counted).index - before < run.requests:
        raise BenchError(f"{server.name} answered writes that changed nothing")
    return run.per_second


def _set(key: str) -> dict[str, dict[str, str]]:
    return {"KV": {"Verb": "set", "Key": key, "Value": _VALUE}}

"""Many clients that do nothing, do it slowly, or never listen: the others must not notice."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import struct
import time
from collections.abc import Callable, Iterator

import pytest

from tests.fuzz.agents import Victim, connect

pytestmark = pytest.mark.xdist_group("fuzz-volume")

_IDLE = 10_000
_HALF_SENT = 500
_BLOCKED = 500
_MUTE = 10
_SPARE_FILES = 500
_LIMIT_S = 60.0
_VALUE_BYTES = 400_000
_GROWTH_LIMIT_BYTES = 100 * 1024 * 1024
_RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """An agent that lets one address open as many connections as the system does."""
    flags = (
        "-hcl=limits { http_max_conns_per_client = 20000 }",
        '-hcl=default_query_time="10m" max_query_time="10m"',
    )
    victim = Victim(tmp_path_factory.mktemp("volume"), *flags)
    yield victim
    victim.close()


@pytest.fixture
def crowd() -> Iterator[contextlib.ExitStack]:
    """Holds the connections of a test, and closes them."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def many_files() -> Iterator[None]:
    """As many open files as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < _IDLE + _SPARE_FILES:
        pytest.skip(f"a process may open {hard} files here; {_IDLE} connections need more")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def others_are_served(victim: Victim) -> None:
    """Another client is served, as long as it is willing to wait."""
    victim.check()


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not what():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def gauge(victim: Victim, name: str) -> int:
    metrics = json.loads(victim.request("GET", "/v1/agent/metrics")[1])
    values = {entry["Name"].rsplit(".", 2)[-1]: entry["Value"] for entry in metrics["Gauges"]}
    return int(values[name])


def blocked(victim: Victim) -> int:
    """How many blocking reads of clients are parked."""
    stats = json.loads(victim.request("GET", "/v1/agent/self")[1])["Stats"]
    return int(stats["fairlead"]["blocking_queries"])


def test_ten_thousand_idle_connections_are_no_burden(
    victim: Victim, crowd: contextlib.ExitStack, many_files: None
) -> None:
    idle = [
        crowd.enter_context(connect(victim.port, source=f"127.0.0.{2 + number % 4}"))
        for number in range(_IDLE)
    ]
    eventually(lambda: gauge(victim, "open_files") >= _IDLE)
    for _ in range(20):
        others_are_served(victim)
    for client in idle[:: _IDLE // 100]:
        client.sendall(b"GET /v1/status/leader HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    crowd.close()
    eventually(lambda: gauge(victim, "open_files") < _SPARE_FILES)
    others_are_served(victim)


def test_half_sent_requests_disturb_nobody(victim: Victim, crowd: contextlib.ExitStack) -> None:
    parts = [
        b"G",
        b"GET /v1/kv/a HTTP/1.1\r\nHost:",
        b"PUT /v1/kv/half HTTP/1.1\r\nContent-Length: 100000\r\n\r\nonly this",
        b"PUT /v1/kv/half HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nonly this",
        b"PUT /v1/snapshot HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n\x1f\x8b\x08",
    ]
    clients = [crowd.enter_context(connect(victim.port)) for _ in range(_HALF_SENT)]
    for round_ in range(3):
        for number, client in enumerate(clients):
            part = parts[number % len(parts)]
            client.sendall(part if not round_ else b"x")
        others_are_served(victim)
    crowd.close()
    assert victim.request("GET", "/v1/kv/half")[0] == 404
    others_are_served(victim)


@pytest.mark.parametrize("path", ["/v1/kv/big?raw", "/v1/kv/none", "/v1/nothing"])
def test_a_client_that_never_listens_costs_bounded_memory(
    victim: Victim, crowd: contextlib.ExitStack, path: str
) -> None:
    victim.request("PUT", "/v1/kv/big", "x" * _VALUE_BYTES)
    before = victim.resident_bytes()
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    for _ in range(_MUTE):
        client = crowd.enter_context(connect(victim.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.05)
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                client.sendall(request * 1000)
            raise AssertionError("the agent reads on, though nobody takes its answers")
    victim.check()
    assert victim.resident_bytes() - before < _GROWTH_LIMIT_BYTES
    crowd.close()
    others_are_served(victim)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("behind", [0, 5], ids=lambda behind: f"{behind}-behind")
def test_what_a_client_waits_for_is_freed_when_it_goes(
    victim: Victim, crowd: contextlib.ExitStack, reset: bool, behind: int
) -> None:
    victim.check()
    eventually(lambda: blocked(victim) == 0)
    _, body = victim.request("GET", "/v1/kv/alive")
    index = json.loads(body)[0]["ModifyIndex"] + 1_000_000
    wait = b"GET /v1/kv/alive?index=%d HTTP/1.1\r\n\r\n" % index
    for _ in range(_BLOCKED):
        client = crowd.enter_context(connect(victim.port))
        client.sendall(wait + b"GET /v1/kv/alive HTTP/1.1\r\n\r\n" * behind)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    eventually(lambda: blocked(victim) == _BLOCKED)
    assert gauge(victim, "queries_blocking") == _BLOCKED
    others_are_served(victim)
    crowd.close()
    eventually(lambda: blocked(victim) == 0)
    others_are_served(victim)


def test_a_client_over_the_limit_is_told_so(
    tmp_path_factory: pytest.TempPathFactory, crowd: contextlib.ExitStack
) -> None:
    few = "-hcl=limits { http_max_conns_per_client = 20 }"
    victim = Victim(tmp_path_factory.mktemp("few"), few)
    crowd.callback(victim.close)
    victim.check()
    for _ in range(19):
        crowd.enter_context(connect(victim.port))
    with connect(victim.port) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
    with connect(victim.port, source="127.0.0.2") as client:
        client.sendall(b"GET /v1/status/leader HTTP/1.1\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    victim.check()

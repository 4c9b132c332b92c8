"""The same checks in real Consul and in ours: the same status and the same output after a run.

Consul runs them in its agent; ours are run by the runner itself.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from fairlead.agent.checks.definition import CheckDefinition, type_of
from fairlead.agent.checks.runner import Runner
from fairlead.clock import SystemClock
from fairlead.durations import parse_duration
from tests.processes import AgentProcess, consul_agent, free_port

FIELDS = {
    "HTTP": "http",
    "Method": "method",
    "Header": "header",
    "Body": "body",
    "TCP": "tcp",
    "GRPC": "grpc",
    "Args": "args",
    "DockerContainerID": "docker_container_id",
    "OutputMaxSize": "output_max_size",
}
_INTERVAL_S = 1
_LIMIT_S = 60.0


class Found(NamedTuple):
    """What one program says of a check."""

    kind: str
    status: str
    output: str


class Handler(http.server.BaseHTTPRequestHandler):
    """/status/N answers N; the others do what they are called."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        words = self.path.split("/")
        match words[1]:
            case "status":
                self._answer(int(words[2]), b"" if words[2] in ("204", "304") else b"hi")
            case "to":
                self._answer(302, b"", Location="/" + "/".join(words[2:]))
            case "big":
                self._answer(200, b"a" * 5000 + b"END")
            case "binary":
                self._answer(200, b"\xff\xfea")
            case "short":
                self.send_response(200)
                self.send_header("Content-Length", "10")
                self.end_headers()
                self.wfile.write(b"abc")
                self.close_connection = True
            case _:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                kept = [f"{name}: {self.headers[name]}" for name in SHOWN if name in self.headers]
                self._answer(200, "\n".join([self.requestline, *kept]).encode() + body)

    do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815


SHOWN = ["Host", "User-Agent", "Accept", "Content-Length", "Connection", "X-A", "Authorization"]


@pytest.fixture(scope="module")
def checks() -> Iterator[dict[str, dict[str, Any]]]:
    """Checks by name, and running servers that they look at."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever).start()
    rpc = grpc.server(futures.ThreadPoolExecutor(2))
    service = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(service, rpc)
    service.set("bad", health_pb2.HealthCheckResponse.NOT_SERVING)
    rpc_port = rpc.add_insecure_port("127.0.0.1:0")
    rpc.start()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        yield _checks(web.server_port, rpc_port, silent.getsockname()[1], free_port())
    rpc.stop(None).wait()
    web.shutdown()
    web.server_close()


def _checks(web: int, rpc: int, silent: int, free: int) -> dict[str, dict[str, Any]]:
    url = f"http://127.0.0.1:{web}"
    paths = [f"status/{code}" for code in (200, 204, 299, 304, 404, 429, 500, 599)]
    paths += ["to/status/200", "to/status/500", "big", "binary", "short", "echo", "%zz", "é"]
    checks: dict[str, dict[str, Any]] = {
        f"http {path}": {"HTTP": f"{url}/{path}"} for path in paths
    }
    header = {"X-A": ["1"], "Host": ["web.example"], "User-Agent": ["mine"]}
    checks |= {
        "http put": {"HTTP": f"{url}/e", "Method": "PUT", "Header": header, "Body": '{"a":1}'},
        "http post": {"HTTP": f"{url}/e", "Method": "POST"},
        "http delete": {"HTTP": f"{url}/e", "Method": "DELETE"},
        "http bad method": {"HTTP": f"{url}/e", "Method": "G T"},
        "http bad header": {"HTTP": f"{url}/e", "Header": {"X": ["a\nb"]}},
        "http password": {"HTTP": f"http://us:pw@127.0.0.1:{web}/e"},
        "http password refused": {"HTTP": f"http://us:pw@127.0.0.1:{free}/e"},
        "http refused": {"HTTP": f"http://127.0.0.1:{free}/"},
        "http refused put": {"HTTP": f"http://127.0.0.1:{free}/", "Method": "PUT"},
        "http silent": {"HTTP": f"http://127.0.0.1:{silent}/", "Timeout": "300ms"},
        "http small": {"HTTP": f"{url}/big", "OutputMaxSize": 5},
        "http ftp": {"HTTP": "ftp://x/"},
        "http no host": {"HTTP": "http:///x"},
        "http no scheme": {"HTTP": "127.0.0.1:80/x"},
        "http bad port": {"HTTP": "http://127.0.0.1:abc/"},
        "http big port": {"HTTP": "http://127.0.0.1:70000/"},
        "http space": {"HTTP": "http://a b/"},
        "http upper": {"HTTP": f"HTTP://127.0.0.1:{web}/status/200"},
        "http and tcp": {"HTTP": f"{url}/status/200", "TCP": f"127.0.0.1:{free}"},
        "tcp": {"TCP": f"127.0.0.1:{web}"},
        "tcp name": {"TCP": f"localhost:{web}"},
        "tcp refused": {"TCP": f"127.0.0.1:{free}"},
        "tcp no host": {"TCP": f":{free}"},
        "grpc": {"GRPC": f"127.0.0.1:{rpc}"},
        "grpc bad": {"GRPC": f"127.0.0.1:{rpc}/bad"},
        "grpc unknown": {"GRPC": f"127.0.0.1:{rpc}/unknown"},
        "grpc refused": {"GRPC": f"127.0.0.1:{free}"},
        "grpc silent": {"GRPC": f"127.0.0.1:{silent}", "Timeout": "300ms"},
        "docker": {"DockerContainerID": "abc", "Args": ["true"]},
    }
    for address in ("127.0.0.1", "x", "a:70000", "a:nosuch", "::1:80", "[::1]", "[::1:80"):
        checks[f"tcp {address}"] = {"TCP": address}
    for code in (0, 1, 2):
        checks[f"script {code}"] = {"Args": ["sh", "-c", f"echo out; echo err >&2; exit {code}"]}
    scripts = {
        "missing": ["/no/such"],
        "not in PATH": ["no-such-program"],
        "folder": ["/tmp"],
        "no program": ["/etc/passwd"],
        "empty": [""],
        "signal": ["sh", "-c", "echo a; kill -9 $$"],
        "big": ["sh", "-c", "head -c 5000 /dev/zero | tr '\\0' a; echo END"],
        "binary": ["printf", "\\377\\376a"],
    }
    checks |= {f"script {name}": {"Args": args} for name, args in scripts.items()}
    checks["script slow"] = {"Args": ["sh", "-c", "echo a; sleep 60"], "Timeout": "500ms"}
    checks["script left"] = {"Args": ["sh", "-c", "echo a; sleep 60 &"], "Timeout": "500ms"}
    checks["script small"] = {"Args": ["echo", "abcdef"], "OutputMaxSize": 4}
    return checks


@pytest.fixture(scope="module")
def consul(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[AgentProcess]:
    folder = tmp_path_factory.mktemp("consul")
    agent = consul_agent(consul_path, folder, "-enable-script-checks").start()
    yield agent
    agent.stop()


def ask(agent: AgentProcess, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(agent.url + path, data, method=method)
    with urllib.request.urlopen(request, timeout=30) as reply:
        text = reply.read()
    return json.loads(text) if text else None


def found_by_consul(agent: AgentProcess, checks: dict[str, dict[str, Any]]) -> dict[str, Found]:
    for name, check in checks.items():
        body = {"Name": name, "Interval": f"{_INTERVAL_S}s", **check}
        ask(agent, "PUT", "/v1/agent/check/register", body)
    deadline = time.monotonic() + _LIMIT_S
    while True:
        rows = ask(agent, "GET", "/v1/agent/checks")
        late = [name for name, row in rows.items() if not row["Output"]]
        if not late or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert not late
    return {
        name: Found(row["Type"], row["Status"], row["Output"])
        for name, row in rows.items()
        if name in checks
    }


def found_by_us(checks: dict[str, dict[str, Any]]) -> dict[str, Found]:
    definitions = {}
    for name, check in checks.items():
        fields = {FIELDS[key]: value for key, value in check.items() if key in FIELDS}
        timeout_ns = parse_duration(check.get("Timeout", "0"))
        interval_ns = parse_duration(f"{_INTERVAL_S}s")
        definitions[name] = CheckDefinition(
            interval_ns=interval_ns, timeout_ns=timeout_ns, **fields
        )
    found: dict[str, Found] = {}

    async def play() -> None:
        done = asyncio.Event()

        def report(check_id: str, status: str, output: str) -> None:
            found[check_id] = Found(type_of(definitions[check_id]), status, output)
            if len(found) == len(definitions):
                done.set()

        runner = Runner(report, SystemClock())
        for name, definition in definitions.items():
            runner.start(name, definition)
        async with asyncio.timeout(_LIMIT_S):
            await done.wait()
        await runner.close()

    uvloop.run(play())
    return found


def test_checks_end_alike(
    checks: dict[str, dict[str, Any]], consul: AgentProcess, tmp_path: Path
) -> None:
    theirs = found_by_consul(consul, checks)
    ours = found_by_us(checks)
    assert len(theirs) == len(checks)
    wrong = [
        f"{name}\n  consul:   {theirs[name]}\n  fairlead: {ours[name]}"
        for name in checks
        if theirs[name] != ours[name]
    ]
    assert not wrong, "\n".join(wrong)

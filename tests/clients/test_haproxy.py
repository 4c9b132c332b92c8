"""HAProxy finds its servers in our DNS and sends requests to exactly those that are well.

It makes no health checks of its own here: who gets requests is what the agent's checks say.
"""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.machines import eventually, program
from tests.processes import AgentProcess, fairlead_agent, free_port

pytestmark = pytest.mark.xdist_group("clients")

_PLACES = 5
_CONFIG = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
resolvers fairlead
  nameserver agent 127.0.0.1:{dns}
  accepted_payload_size 8192
  timeout resolve 200ms
  timeout retry 1s
  hold valid 200ms
  hold nx 0s
frontend front
  bind 127.0.0.1:{port}
  default_backend web
backend web
  balance roundrobin
  # All of them are on one address here.
  default-server resolvers fairlead init-addr none resolve-opts allow-dup-ip
  server-template web {places} _web._tcp.service.consul
"""


class _Answer(BaseHTTPRequestHandler):
    """Says its name, and under `/health` whether it is well."""

    server: Instance

    def do_GET(self) -> None:
        well = self.path != "/health" or self.server.well
        self.send_response(200 if well else 503)
        self.end_headers()
        self.wfile.write(self.server.name.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Instance(ThreadingHTTPServer):
    """One instance of the service, with a check that the agent makes each second."""

    well = True

    def __init__(self, agent: AgentProcess, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.name = name
        self.port = self.server_address[1]
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()
        health = f"http://127.0.0.1:{self.port}/health"
        check = {"HTTP": health, "Interval": "1s", "Timeout": "20s"}
        where = {"Address": "127.0.0.1", "Port": self.port}
        put(agent, "service/register", {"ID": name, "Name": "web", **where, "Check": check})

    def stop(self) -> None:
        """Nobody listens any more; once stopped, nothing is left to do."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
            self.server_close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, "-node=n1", f"-dns-port={free_port()}", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def start(agent: AgentProcess) -> Iterator[Callable[[str], Instance]]:
    """Starts an instance and registers it."""
    with ExitStack() as stack:

        def start(name: str) -> Instance:
            instance = Instance(agent, name)
            stack.callback(instance.stop)
            return instance

        yield start


@pytest.fixture
def haproxy(agent: AgentProcess, tmp_path: Path) -> Iterator[int]:
    """The port where HAProxy takes requests."""
    binary = program("haproxy", "haproxy")
    config, port = tmp_path / "haproxy.cfg", free_port()
    dns = next(flag for flag in reversed(agent.command) if flag.startswith("-dns-port="))
    fields = {"dns": dns.partition("=")[2], "port": port, "places": _PLACES}
    config.write_text(_CONFIG.format(**fields))
    with running([binary, "-db", "-f", str(config)], tmp_path / "haproxy.log"):
        yield port


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def put(agent: AgentProcess, path: str, value: object = None) -> None:
    body = b"" if value is None else json.dumps(value).encode()
    request = urllib.request.Request(f"{agent.url}/v1/agent/{path}", body, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200


def reached(port: int) -> set[str]:
    """Who answers, in two rounds; `503` when HAProxy has nobody."""
    names: set[str] = set()
    for _ in range(2 * _PLACES):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                names.add(reply.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                names.add(str(error.code))
        except OSError as error:
            names.add(type(error).__name__)
    return names


def test_requests_go_to_exactly_the_instances_that_are_well(
    agent: AgentProcess, haproxy: int, start: Callable[[str], Instance]
) -> None:
    eventually(lambda: reached(haproxy) == {"503"}, "nobody is there yet")
    first, second = start("web-1"), start("web-2")
    eventually(lambda: reached(haproxy) == {"web-1", "web-2"}, "both get requests")

    # More than the three that an answer without EDNS would hold.
    for name in ("web-3", "web-4", "web-5"):
        start(name)
    everyone = {f"web-{number}" for number in range(1, 6)}
    eventually(lambda: reached(haproxy) == everyone, "all five after the scale-up")

    first.stop()
    eventually(lambda: reached(haproxy) == everyone - {"web-1"}, "the one that died is out")
    second.well = False
    eventually(lambda: reached(haproxy) == everyone - {"web-1", "web-2"}, "the sick one is too")
    second.well = True
    eventually(lambda: reached(haproxy) == everyone - {"web-1"}, "well again, it is back")

    put(agent, "service/deregister/web-3")
    put(agent, "service/maintenance/web-4?enable=true&reason=upgrade")
    eventually(lambda: reached(haproxy) == {"web-2", "web-5"}, "two were taken out by hand")
    put(agent, "service/maintenance/web-4?enable=false")
    put(agent, "maintenance?enable=true")
    eventually(lambda: reached(haproxy) == {"503"}, "nobody during the node's maintenance")
    put(agent, "maintenance?enable=false")
    eventually(lambda: reached(haproxy) == {"web-2", "web-4", "web-5"}, "all are back")

"""Prometheus with `consul_sd_configs` scrapes exactly the instances that pass.

It counts what it receives at once, and hands it on by two timers of 5 s of its
own (`discovery/manager.go`, `scrape/manager.go`): only the first is our part.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.clients.machines import eventually
from tests.processes import AgentProcess, fairlead_agent, free_port, peer

_SOON_S = 2.0
# Longer than `refresh_interval`: what is under way has come.
_QUIET_S = 1.5
_RECEIVED = re.compile(
    r'^prometheus_sd_received_updates_total\{name="scrape"\} (\d+)', re.MULTILINE
)
pytestmark = pytest.mark.xdist_group("clients")

_CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: registry
    consul_sd_configs:
      - {{server: '127.0.0.1:{port}', services: [web], refresh_interval: 1s}}
    relabel_configs:
      - {{source_labels: [__meta_consul_health], regex: passing, action: keep}}
      - {{source_labels: [__meta_consul_service_id], target_label: instance}}
"""


class _Metrics(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(b"up_and_running 1\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def target() -> Iterator[int]:
    """A port that can be scraped."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Metrics)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def prometheus(agent: AgentProcess, tmp_path: Path) -> Iterator[int]:
    binary = peer("prometheus")
    if binary is None:
        pytest.skip("no Prometheus with consul_sd_configs: apt cannot be reached")
    config = tmp_path / "prometheus.yml"
    config.write_text(_CONFIG.format(port=agent.port))
    port = free_port()
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(tmp_path / "prometheus.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield port
    process.terminate()
    process.wait(30)


def put(agent: AgentProcess, path: str, value: object = None) -> None:
    body = b"" if value is None else json.dumps(value).encode()
    request = urllib.request.Request(agent.url + path, body, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.status == 200


def register(agent: AgentProcess, name: str, port: int, status: str) -> None:
    check = {"CheckID": f"{name}-ttl", "TTL": "10m", "Status": status}
    service = {"ID": name, "Name": "web", "Address": "127.0.0.1", "Port": port, "Check": check}
    put(agent, "/v1/agent/service/register", service)


def scraped(port: int) -> set[str]:
    """The instances Prometheus has as targets now, and scrapes well."""
    try:
        url = f"http://127.0.0.1:{port}/api/v1/targets?state=active"
        with urllib.request.urlopen(url, timeout=5) as reply:
            targets = json.load(reply)["data"]["activeTargets"]
    except (urllib.error.URLError, OSError):
        return set()
    return {one["labels"]["instance"] for one in targets if one["health"] == "up"}


def received(port: int) -> int:
    """How many updates from the registry it has received."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
        found = _RECEIVED.search(reply.read().decode())
    assert found is not None
    return int(found[1])


@contextmanager
def received_soon(port: int) -> Iterator[None]:
    """What is changed within has reached Prometheus 2 s later; before, nothing is under way."""
    count = -1
    while count != (count := received(port)):
        time.sleep(_QUIET_S)
    started = time.monotonic()
    yield
    left_s = started + _SOON_S - time.monotonic()
    eventually(lambda: received(port) > count, "Prometheus is told", within_s=left_s)


def test_exactly_the_passing_instances_are_scraped_and_changes_followed(
    agent: AgentProcess, prometheus: int, target: int
) -> None:
    register(agent, "web-1", target, "passing")
    register(agent, "web-2", target, "passing")
    register(agent, "web-3", target, "critical")
    eventually(lambda: scraped(prometheus) == {"web-1", "web-2"}, "the two that pass")
    with received_soon(prometheus):
        put(agent, "/v1/agent/check/fail/web-2-ttl")
    with received_soon(prometheus):
        put(agent, "/v1/agent/check/pass/web-3-ttl")
    eventually(lambda: scraped(prometheus) == {"web-1", "web-3"}, "the change is followed")
    with received_soon(prometheus):
        put(agent, "/v1/agent/service/deregister/web-1")
    eventually(lambda: scraped(prometheus) == {"web-3"}, "the one left")
    with received_soon(prometheus):
        register(agent, "web-4", target, "passing")
    eventually(lambda: scraped(prometheus) == {"web-3", "web-4"}, "the new one")

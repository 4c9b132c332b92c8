"""An agent with services as a process: files, SIGHUP, kill -9."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.processes import AgentProcess, fairlead_agent

_PATIENCE_S = 20.0


def get(agent: AgentProcess, path: str) -> Any:
    with urllib.request.urlopen(agent.url + path, timeout=10) as reply:
        return json.load(reply)


def put(agent: AgentProcess, path: str, body: Any = None) -> None:
    data = json.dumps(body).encode() if body is not None else b""
    asked = urllib.request.Request(agent.url + path, data=data, method="PUT")
    with urllib.request.urlopen(asked, timeout=10) as reply:
        assert reply.status == 200


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.02)


def test_registrations_and_their_state_survive_a_kill(tmp_path: Path) -> None:
    agent = fairlead_agent(tmp_path).start()
    try:
        put(
            agent,
            "/v1/agent/service/register",
            {"Name": "web", "Port": 80, "Checks": [{"TTL": "1h"}, {"TTL": "1h"}]},
        )
        put(agent, "/v1/agent/check/pass/service:web:1?note=fine")
        put(agent, "/v1/agent/maintenance?enable=true&reason=why")
        services, checks = get(agent, "/v1/agent/services"), get(agent, "/v1/agent/checks")
        agent.kill()
        agent.start()
        assert get(agent, "/v1/agent/services") == services
        assert get(agent, "/v1/agent/checks") == checks
        assert checks["service:web:1"]["Output"] == "fine"
    finally:
        agent.stop()


def test_files_define_services_and_sighup_reads_them_again(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "web.hcl").write_text('service { name = "web" port = 80 check { ttl = "1h" } }')
    (folder / "two.json").write_text('{"services": [{"name": "a"}, {"name": "b"}]}')
    agent = fairlead_agent(tmp_path, f"-config-dir={folder}", dev=True).start()
    try:
        assert sorted(get(agent, "/v1/agent/services")) == ["a", "b", "web"]
        put(agent, "/v1/agent/check/pass/service:web")
        put(agent, "/v1/agent/service/register", {"Name": "of-the-api"})
        (folder / "two.json").write_text('{"services": [{"name": "a", "port": 5}, {"name": "c"}]}')
        agent.send(signal.SIGHUP)
        until(lambda: "c" in get(agent, "/v1/agent/services"))
        services = get(agent, "/v1/agent/services")
        assert sorted(services) == ["a", "c", "of-the-api", "web"]
        assert services["a"]["Port"] == 5
        assert get(agent, "/v1/agent/checks")["service:web"]["Status"] == "passing"
        (folder / "two.json").write_text('{"services": [{"name": "x", "prot": 5}]}')
        agent.send(signal.SIGHUP)
        until(lambda: "invalid config key services[0].prot" in agent.log.read_text())
        assert get(agent, "/v1/agent/services") == services
        assert "Traceback" not in agent.log.read_text()
    finally:
        agent.stop()

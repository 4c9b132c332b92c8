"""`fairlead agent` as one of several servers that has not found the others."""

from __future__ import annotations

import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from tests.etcd import etcd_binary
from tests.processes import FAIRLEAD, AgentProcess, free_port
from tests.servers.trio import ask

pytestmark = pytest.mark.xdist_group("etcd")


def command(folder: Path, *flags: str) -> list[str]:
    ports = {name: free_port() for name in ("server", "serf_lan", "etcd")}
    text = " ".join(f"{name} = {port}" for name, port in ports.items())
    return [
        *(*FAIRLEAD, "agent", "-server", "-bootstrap-expect=3", "-bind=127.0.0.1"),
        *(f"-data-dir={folder / 'data'}", "-http-port=-1", "-dns-port=-1"),
        *("-node=s1", "-retry-join=127.0.0.2", f"-hcl=ports {{ {text} }}", *flags),
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait(tmp_path: Path, number: signal.Signals) -> None:
    binary = etcd_binary()
    log = tmp_path / "agent.log"
    with open(log, "wb") as out:
        given = command(tmp_path, f'-hcl=etcd_binary = "{binary}"')
        process = subprocess.Popen(given, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 60
        while "waiting for servers: 1 of 3 found (missing 127.0.0.2)" not in log.read_text():
            assert time.monotonic() < deadline
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    text = log.read_text()
    assert "agent stopped before it was one of several servers" in text
    assert "Traceback" not in text


def test_whoever_waits_answers_that_nobody_leads(tmp_path: Path) -> None:
    http, names = free_port(), free_port()
    flags = [f'-hcl=etcd_binary = "{etcd_binary()}"', f"-http-port={http}", f"-dns-port={names}"]
    agent = AgentProcess(command(tmp_path, *flags), http, tmp_path, "/v1/agent/self")
    try:
        agent.start()
        assert ask(agent, "GET", "/v1/status/leader").json == ""
        assert [row["Name"] for row in ask(agent, "GET", "/v1/agent/members").json] == ["s1"]
        assert ask(agent, "GET", "/v1/agent/self").json["Stats"]["raft"]["last_contact"] == "never"
        asked = [("GET", "kv/a"), ("GET", "kv/a?stale"), ("PUT", "kv/a"), ("GET", "catalog/nodes")]
        with ThreadPoolExecutor() as pool:
            answers = pool.map(lambda one: ask(agent, one[0], f"/v1/{one[1]}"), asked)
        found = {(answer.status, answer.body) for answer in answers}
        assert found == {(500, b"No cluster leader")}
        question = dns.message.make_query("consul.service.consul", "A")
        assert dns.query.udp(question, "127.0.0.1", 5, names).rcode() == dns.rcode.SERVFAIL
    finally:
        assert agent.stop() == 0
    text = agent.log.read_text()
    assert "[ERROR]" not in text
    assert "cannot sync" not in text


def test_without_etcd_it_says_in_one_line_what_to_install(tmp_path: Path) -> None:
    given = command(tmp_path, '-hcl=etcd_binary = "/nowhere/etcd"')
    done = subprocess.run(given, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    [line] = [line for line in done.stderr.splitlines() if line.startswith("==>")]
    assert "apt-get install etcd-server" in line
    assert "Traceback" not in done.stderr

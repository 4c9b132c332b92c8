"""A disk that is full: writes are refused, reads go on, and room makes all well again."""

from __future__ import annotations

import json
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crash.disks import DISKS, Disk, SmallMount
from tests.crash.writers import Reply, Speaker
from tests.processes import AgentProcess, fairlead_agent

_LIMIT_S = 10.0
_VALUE = "x" * 20_000
_TTL_S = 0.3
_FLAG = '-hcl=session_ttl_min = "100ms"'


@pytest.fixture(params=list(DISKS.values()), ids=list(DISKS))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    disk: Disk = request.param(tmp_path / "data")
    yield disk
    disk.remove()


@pytest.fixture
def agent(disk: Disk, tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, _FLAG).start()
    yield agent
    agent.stop()


class Client:
    """Writes, and knows what it was told."""

    def __init__(self, agent: AgentProcess) -> None:
        self.expected: dict[str, str] = {}
        self.index = 0
        self.speaker = Speaker(agent.port)

    def put(self, key: str, value: str) -> bool:
        return self._told(self.speaker.ask("PUT", f"/v1/kv/{key}", value), {key: value})

    def put_together(self, keys: list[str], value: str) -> bool:
        encoded = b64encode(value.encode()).decode()
        ops = [{"KV": {"Verb": "set", "Key": key, "Value": encoded}} for key in keys]
        return self._told(
            self.speaker.ask("PUT", "/v1/txn", json.dumps(ops)), dict.fromkeys(keys, value)
        )

    def _told(self, reply: Reply, changes: dict[str, str]) -> bool:
        """Whether it was done; the only other answer is an error that says why not."""
        if reply.status == 200:
            self.expected.update(changes)
            return True
        assert reply.status == 500, reply
        assert b"cannot write to" in reply.body
        return False

    def check(self) -> None:
        """Reads show what was acknowledged, and nothing else."""
        reply = self.speaker.ask("GET", "/v1/kv/?recurse")
        rows = {row["Key"]: b64decode(row["Value"]).decode() for row in json.loads(reply.body)}
        assert rows == self.expected
        assert reply.index >= self.index
        self.index = reply.index


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[Client]:
    client = Client(agent)
    yield client
    client.speaker.close()


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not what():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.02)


def test_a_full_disk_refuses_writes_and_nothing_else(
    agent: AgentProcess, disk: Disk, client: Client
) -> None:
    for number in range(20):
        assert client.put(f"before{number}", _VALUE)
    saved = client.speaker.ask("GET", "/v1/snapshot").body
    disk.fill(agent)
    told = [client.put(f"full{number}", _VALUE) for number in range(20)]
    assert not all(told), "the disk was never full"
    keys = [f"together{number}" for number in range(5)]
    for round_ in range(5):
        client.put_together(keys, f"{round_}{_VALUE}")
        client.put("before0", f"{round_}{_VALUE}")
        client.check()
    refused = client.speaker.ask("PUT", "/v1/snapshot", saved)
    assert refused.status == 500
    assert b"cannot write to" in refused.body
    client.check()
    disk.free(agent)
    assert client.put("after", _VALUE)
    assert client.put_together(keys, f"after{_VALUE}")
    client.check()
    agent.kill()
    client.speaker.close()
    agent.start()
    client.speaker = Speaker(agent.port)
    client.check()
    assert client.put("after", "the restart")
    assert agent.stop() == 0
    assert "Traceback" not in agent.log.read_text()


def test_a_session_whose_time_ran_out_on_a_full_disk_ends_when_there_is_room(
    agent: AgentProcess, disk: Disk, client: Client
) -> None:
    speaker = client.speaker
    for number in range(20):
        assert client.put(f"before{number}", _VALUE)
    body = {"TTL": f"{_TTL_S}s", "LockDelay": "0s"}
    session = json.loads(speaker.ask("PUT", "/v1/session/create", json.dumps(body)).body)["ID"]
    assert speaker.ask("PUT", f"/v1/kv/lock?acquire={session}", "held").is_true
    disk.fill(agent)
    number = 0
    while client.put(f"full{number}", _VALUE):
        number += 1
    over = time.monotonic() + 4 * _TTL_S
    eventually(lambda: time.monotonic() > over)
    client.put("full", _VALUE)
    disk.free(agent)
    eventually(lambda: client.put("after", _VALUE))
    eventually(lambda: json.loads(speaker.ask("GET", "/v1/session/list").body) == [])
    assert b'"Session"' not in speaker.ask("GET", "/v1/kv/lock").body


def test_an_agent_on_a_disk_already_full_starts_or_says_why_not(tmp_path: Path) -> None:
    disk = SmallMount(tmp_path / "data")
    agent = fairlead_agent(tmp_path).start()
    try:
        client = Client(agent)
        assert client.put("before", _VALUE)
        client.speaker.close()
        agent.stop()
        disk.fill(agent)
        process = subprocess.Popen(agent.command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=2)
        except subprocess.TimeoutExpired:
            process.terminate()
            _, said = process.communicate()
        assert b"Traceback" not in said
        disk.free(agent)
        agent.start()
        client.speaker = Speaker(agent.port)
        client.check()
        client.speaker.close()
    finally:
        agent.stop()
        disk.remove()

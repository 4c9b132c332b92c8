"""Sessions that hold locks: they are kept alive, and known to be lost when nobody renews them."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead import locks
from fairlead.client import Client
from fairlead.locks import Holding, Lock
from tests.processes import AgentProcess, fairlead_agent


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, '-hcl=session_ttl_min = "1s"', dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def client(agent: AgentProcess) -> Iterator[Client]:
    client = Client(f"127.0.0.1:{agent.port}")
    yield client
    client.close()


@pytest.fixture(autouse=True)
def _short_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_TTL_S", 2)


def test_a_session_is_kept_alive(client: Client) -> None:
    holding = Holding(client, "kept", monitor_retries=0)
    holding.open(Lock.behavior)
    # An agent may grant a session twice its TTL.
    assert not holding.lost.wait(5)
    assert client.get(f"/v1/session/info/{holding.session}").json() != []
    holding.close()
    assert not holding.lost.is_set()


def test_a_session_that_is_gone_is_lost(client: Client) -> None:
    holding = Holding(client, "gone", monitor_retries=100)
    holding.open(Lock.behavior)
    client.put(f"/v1/session/destroy/{holding.session}")
    assert holding.lost.wait(20)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_session_that_cannot_be_renewed_is_lost_when_its_time_is_over(
    number: signal.Signals,
    agent: AgentProcess,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "_RENEW_LIMIT_S", 0.3)
    holding = Holding(client, "unheard", monitor_retries=100)
    holding.open(Lock.behavior)
    before = time.monotonic()
    agent.send(number)
    lost = holding.lost.wait(20)
    after = time.monotonic()
    if number == signal.SIGSTOP:
        agent.send(signal.SIGCONT)
    assert lost
    assert after - before > locks._TTL_S / 2

"""An agent for the command line to talk to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from fairlead.client import Client
from tests.cli.programs import Done, run
from tests.processes import AgentProcess, fairlead_agent

Fairlead = Callable[..., Done]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path_factory.mktemp("agent"), "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture(scope="module")
def address(agent: AgentProcess) -> str:
    return f"127.0.0.1:{agent.port}"


@pytest.fixture
def client(address: str) -> Iterator[Client]:
    client = Client(address)
    yield client
    client.close()


@pytest.fixture
def fairlead(address: str) -> Fairlead:
    """Run the program with the agent."""
    return lambda *words, **more: run(address, *words, **more)

"""Killed while a big state is read or replaced: afterwards it is all there, or all the old one."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fairlead.agent import archive
from fairlead.core.codec import encode_json
from fairlead.core.rows import KVRow
from fairlead.engines import Contents, StoredRow
from tests.crash.storm import seed
from tests.crash.writers import Speaker
from tests.processes import AgentProcess, fairlead_agent

_ROWS = 60_000
_KILLS = int(os.environ.get("FAIRLEAD_KILLS", "12")) // 2
_ABOUT = archive.About("9d1b0c4e-8f5a-4f0e-9a7c-0123456789ab", "127.0.0.1:8300", 10**18)


def snapshot(name: str, index: int) -> bytes:
    """An archive of many keys, all of which hold `name`."""
    value = name.encode()
    keys = [f"big/{number:06}" for number in range(_ROWS)]
    rows = [StoredRow("kv", key, encode_json(KVRow(0, key, 0, value, "", 2, 3))) for key in keys]
    with archive.write(Contents(index, rows), _ABOUT) as file:
        return file.read()


class Found:
    """Which snapshot an agent holds, and its index."""

    def __init__(self, agent: AgentProcess) -> None:
        speaker = Speaker(agent.port)
        reply = speaker.ask("GET", "/v1/kv/big/?recurse")
        speaker.close()
        self.index = reply.index
        rows = json.loads(reply.body) if reply.status == 200 else []
        self.count = len(rows)
        self.values = {row["Value"] for row in rows}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path).start()
    yield agent
    agent.stop()


def restore(agent: AgentProcess, data: bytes) -> bool:
    """Whether the agent said that it did; False when it died over it."""
    speaker = Speaker(agent.port)
    try:
        return speaker.ask("PUT", "/v1/snapshot", data).status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        speaker.close()


class Asking(threading.Thread):
    """Asks for a restore; `done` says whether it was acknowledged."""

    def __init__(self, agent: AgentProcess, name: str) -> None:
        super().__init__(daemon=True)
        self.value = b64encode(name.encode()).decode()
        self.done = False
        self._agent = agent
        self._data = snapshot(name, 50)
        self.start()

    def run(self) -> None:
        self.done = restore(self._agent, self._data)


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes: a kill after a part of that finds it in the middle."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_an_agent_killed_while_it_loads_loads_all_of_it_the_next_time(agent: AgentProcess) -> None:
    chance = random.Random(seed())
    assert restore(agent, snapshot("one", 50))
    before = Found(agent)
    assert before.count == _ROWS
    agent.kill()
    load_s = seconds(agent.start)
    agent.kill()
    for _ in range(_KILLS):
        with open(agent.log, "ab") as log:
            process = subprocess.Popen(agent.command, stdout=log, stderr=log)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(load_s / 4, load_s))
        process.kill()
        process.wait()
    agent.start()
    after = Found(agent)
    assert (after.count, after.values) == (_ROWS, before.values)
    assert after.index >= before.index
    print(f"kills while loading {_ROWS} rows={_KILLS} violations=0")


def test_an_agent_killed_while_it_restores_holds_the_old_state_or_the_new(
    agent: AgentProcess,
) -> None:
    chance = random.Random(seed())
    data = snapshot("even", 50)
    assert restore(agent, data)
    # As all that follow: one that replaces as many rows.
    restore_s = seconds(lambda: restore(agent, data))
    now = Found(agent)
    changed = told = 0
    for round_ in range(1, _KILLS + 1):
        asking = Asking(agent, "odd" if round_ % 2 else "even")
        asking.join(chance.uniform(0, restore_s * 1.3))
        agent.kill()
        asking.join()
        agent.start()
        before, now = now, Found(agent)
        assert now.count == _ROWS
        assert len(now.values) == 1, "half of one and half of the other"
        assert now.index >= before.index
        if asking.done:
            assert now.values == {asking.value}, "the restore was acknowledged"
        changed += now.values != before.values
        told += asking.done
    print(
        f"kills while restoring {_ROWS} rows={_KILLS} done={changed} acknowledged={told} "
        "violations=0"
    )

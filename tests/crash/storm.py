"""An agent under the load of several writers, ended and begun again on the same data."""

from __future__ import annotations

import json
import os
import random
import threading
from base64 import b64decode
from pathlib import Path

from tests.crash.ledger import Indexes, Ledger, Row, Tally
from tests.crash.writers import GROUP_SIZE, Reader, Speaker, Worker, Writer
from tests.processes import fairlead_agent

__all__ = ["Storm", "seed"]

_WRITERS = 4
_SHOWN = 300
_TARGETS = (
    "/v1/kv/?recurse",
    "/v1/kv/?keys",
    "/v1/kv/w0/?recurse",
    "/v1/kv/w0/tree0/?recurse",
    "/v1/kv/w0/key0",
    "/v1/kv/w0/key1",
    "/v1/kv/w1/lock0",
    "/v1/kv/w1/group0/0",
    "/v1/kv/counter0",
    "/v1/kv/nothing",
)


def seed() -> str:
    """What all chance of a test is drawn from; FAIRLEAD_SEED sets it, a failure prints it."""
    value = os.environ.get("FAIRLEAD_SEED") or os.urandom(4).hex()
    print(f"FAIRLEAD_SEED={value}")
    return value


class Storm:
    """Let it `rage` for a moment, end the agent somehow, `join`, start the agent, `check`."""

    def __init__(self, folder: Path, seed: str) -> None:
        self.agent = fairlead_agent(folder)
        self.random = random.Random(seed)
        self.wrong: list[str] = []
        self._seed = seed
        self._ledgers = [Ledger(f"w{number}/") for number in range(_WRITERS)]
        self._tally = Tally()
        self._indexes = Indexes()
        self._workers: list[Worker] = []
        self._calm = threading.Event()
        self._rounds = 0

    def __enter__(self) -> Storm:
        self.agent.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._calm.set()
        self.agent.stop()

    @property
    def acknowledged(self) -> int:
        return sum(ledger.acknowledged for ledger in self._ledgers) + self._tally.acknowledged

    @property
    def under_way(self) -> int:
        """The writes nobody knew the outcome of when the agent ended."""
        return sum(ledger.under_way for ledger in self._ledgers) + self._tally.under_way

    def summary(self, ends: str, count: int) -> str:
        """One line for people; whoever gets here has found no violation."""
        return (
            f"{ends}={count} acknowledged={self.acknowledged} "
            f"in-flight={self.under_way} violations={len(self.wrong)}"
        )

    def rage(self, seconds: float) -> None:
        """Begin to write from all sides, and return while it goes on."""
        self._rounds += 1
        self._calm.clear()
        port = self.agent.port
        self._workers = [
            *(
                Writer(
                    port, ledger, self._tally, f"{self._seed}-{self._rounds}-{number}", self._calm
                )
                for number, ledger in enumerate(self._ledgers)
            ),
            Reader(port, self._indexes, self._tally, list(_TARGETS), self._calm),
        ]
        self._calm.wait(seconds)

    def join(self) -> None:
        """Wait for the workers to notice that the agent is gone."""
        self._calm.set()
        for worker in self._workers:
            self.wrong += worker.join()
        self._workers = []

    def check(self) -> None:
        """Compare what the agent says now with what it said before it ended."""
        speaker = Speaker(self.agent.port)
        for target in _TARGETS:
            self.wrong += self._indexes.see(target, speaker.ask("GET", target).index)
        listed = json.loads(speaker.ask("GET", "/v1/session/list").body)
        names = {session["ID"]: session["Name"] for session in listed}
        reply = speaker.ask("GET", "/v1/kv/?recurse")
        found = {
            row["Key"]: Row(
                b64decode(row["Value"] or "").decode(), names.get(row.get("Session", ""), "")
            )
            for row in (json.loads(reply.body) if reply.status == 200 else [])
        }
        speaker.close()
        ids = {name: session_id for session_id, name in names.items()}
        for ledger in self._ledgers:
            self.wrong += ledger.settle(found, ids)
        self.wrong += self._tally.settle(found)
        self.wrong += _torn_groups(found)
        lines = [line[:_SHOWN] for line in self.wrong]
        assert not lines, "\n".join([f"FAIRLEAD_SEED={self._seed}", *lines])


def _torn_groups(found: dict[str, Row]) -> list[str]:
    """The groups whose keys, written by transactions only, do not all hold the same."""
    groups: dict[str, list[str]] = {}
    for key, row in found.items():
        group, _, _ = key.rpartition("/")
        if "/group" in group:
            groups.setdefault(group, []).append(row.value)
    return [
        f"{group}: half a transaction: {values}"
        for group, values in groups.items()
        if len(values) != GROUP_SIZE or len(set(values)) != 1
    ]

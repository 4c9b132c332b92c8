"""Threads that write and read as fast as they can until the agent is gone."""

from __future__ import annotations

import http.client
import json
import random
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.crash.ledger import Change, Indexes, Ledger, Row, Tally

__all__ = ["GROUP_SIZE", "Reader", "Reply", "Speaker", "Worker", "Writer"]

_TIMEOUT_S = 20.0
_KEYS = 12
_TREES = 3
_GROUPS = 4
_LOCKS = 4
_SESSIONS = 3
_COUNTERS = 2
GROUP_SIZE = 5
"""The keys of a group are only written together, by transactions."""


@dataclass(frozen=True)
class Reply:
    status: int
    index: int
    body: bytes

    @property
    def is_true(self) -> bool:
        return self.status == 200 and self.body == b"true"


class Speaker:
    """One kept connection to an agent; it fails when the agent is gone."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)

    def ask(self, method: str, target: str, body: str | bytes | None = None) -> Reply:
        self._connection.request(method, target, body)
        response = self._connection.getresponse()
        index = int(response.headers.get("X-Consul-Index") or 0)
        return Reply(response.status, index, response.read())

    def close(self) -> None:
        self._connection.close()


class Worker:
    """A thread that does `step` again and again until its agent is gone or `calm` is set."""

    def __init__(self, name: str, port: int, calm: threading.Event) -> None:
        self.name = name
        self.wrong: list[str] = []
        self.speaker = Speaker(port)
        self._calm = calm
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self) -> list[str]:
        """What went wrong, once the thread has ended."""
        self._thread.join(_TIMEOUT_S)
        assert not self._thread.is_alive(), f"{self.name} hangs"
        return self.wrong

    def _run(self) -> None:
        try:
            while not self._calm.is_set() and not self.wrong:
                self.step()
        except (OSError, http.client.HTTPException):
            pass  # the agent is gone; the ledger knows what was under way
        finally:
            self.speaker.close()

    def step(self) -> None:
        raise NotImplementedError


class Writer(Worker):
    """One client that writes below its own prefix, and raises counters it shares with others."""

    def __init__(
        self, port: int, ledger: Ledger, tally: Tally, seed: str, calm: threading.Event
    ) -> None:
        self._ledger = ledger
        self._tally = tally
        self._random = random.Random(seed)
        self._seed = seed
        self._steps = 0
        self._choices: list[Callable[[], None]] = [
            *[self._set] * 6,
            *[self._set_in_tree] * 3,
            *[self._write_group] * 4,
            *[self._count] * 3,
            *[self._lock] * 3,
            *[self._unlock] * 2,
            *[self._delete] * 2,
            self._delete_tree,
            self._delete_group,
            self._begin_session,
            self._end_session,
        ]
        super().__init__(ledger.prefix, port, calm)

    def step(self) -> None:
        self._steps += 1
        self._random.choice(self._choices)()

    # ---------------------------------------------------------------- plain keys

    def _set(self) -> None:
        self._put(f"{self._ledger.prefix}key{self._random.randrange(_KEYS)}")

    def _set_in_tree(self) -> None:
        tree, leaf = self._random.randrange(_TREES), self._random.randrange(_KEYS)
        self._put(f"{self._ledger.prefix}tree{tree}/leaf{leaf}")

    def _put(self, key: str) -> None:
        value = self._value()
        self._ledger.begin(Change({key: Row(value)}))
        self._expect_true("PUT", f"/v1/kv/{key}", value)

    def _delete(self) -> None:
        key = f"{self._ledger.prefix}key{self._random.randrange(_KEYS)}"
        self._ledger.begin(Change({key: None}))
        self._expect_true("DELETE", f"/v1/kv/{key}")

    def _delete_tree(self) -> None:
        prefix = f"{self._ledger.prefix}tree{self._random.randrange(_TREES)}/"
        self._ledger.begin(
            Change({key: None for key in self._ledger.rows if key.startswith(prefix)})
        )
        self._expect_true("DELETE", f"/v1/kv/{prefix}?recurse")

    # ---------------------------------------------------------------- transactions

    def _group(self) -> list[str]:
        group = self._random.randrange(_GROUPS)
        return [f"{self._ledger.prefix}group{group}/{number}" for number in range(GROUP_SIZE)]

    def _write_group(self) -> None:
        value = self._value()
        changes: dict[str, Row | None] = {key: Row(value) for key in self._group()}
        encoded = b64encode(value.encode()).decode()
        ops = [{"Verb": "set", "Key": key, "Value": encoded} for key in changes]
        other = f"{self._ledger.prefix}key{self._random.randrange(_KEYS)}"
        if self._random.random() < 0.3:
            changes[other] = None
            ops.insert(self._random.randrange(len(ops)), {"Verb": "delete", "Key": other})
        self._run_txn(changes, ops)

    def _delete_group(self) -> None:
        keys = self._group()
        ops = [{"Verb": "delete", "Key": key} for key in keys]
        self._run_txn(dict.fromkeys(keys), ops)

    def _run_txn(self, changes: dict[str, Row | None], ops: list[dict[str, str]]) -> None:
        self._ledger.begin(Change(changes))
        reply = self.speaker.ask("PUT", "/v1/txn", json.dumps([{"KV": op} for op in ops]))
        self._check(reply.status == 200, reply)

    # ---------------------------------------------------------------- counters

    def _count(self) -> None:
        key = f"counter{self._random.randrange(_COUNTERS)}"
        reply = self.speaker.ask("GET", f"/v1/kv/{key}")
        row: dict[str, Any] = json.loads(reply.body)[0] if reply.status == 200 else {}
        value = int(self.speaker.ask("GET", f"/v1/kv/{key}?raw").body or 0) if row else 0
        self._tally.see(key, value)
        self._tally.begin(key, value + 1)
        target = f"/v1/kv/{key}?cas={row.get('ModifyIndex', 0)}"
        reply = self.speaker.ask("PUT", target, str(value + 1))
        if reply.status != 200:
            self.wrong.append(f"{self.name}: {target}: {reply}")
        self._tally.finish(key, value + 1, reply.is_true)

    # ---------------------------------------------------------------- locks

    def _lock(self) -> None:
        if not self._ledger.sessions:
            self._begin_session()
            return
        key = f"{self._ledger.prefix}lock{self._random.randrange(_LOCKS)}"
        name, session_id = self._random.choice(sorted(self._ledger.sessions.items()))
        holder = self._ledger.rows.get(key, Row("")).holder
        value = self._value()
        target = f"/v1/kv/{key}?acquire={session_id}"
        if holder in ("", name):
            self._ledger.begin(Change({key: Row(value, name)}))
            self._expect_true("PUT", target, value)
            return
        reply = self.speaker.ask("PUT", target, value)
        if reply.body != b"false":
            self.wrong.append(f"{key} is held by {holder}, but {name} was told {reply}")

    def _unlock(self) -> None:
        held = [(key, row.holder) for key, row in sorted(self._ledger.rows.items()) if row.holder]
        if not held:
            return
        key, holder = self._random.choice(held)
        value = self._value()
        self._ledger.begin(Change({key: Row(value)}))
        self._expect_true("PUT", f"/v1/kv/{key}?release={self._ledger.sessions[holder]}", value)

    def _begin_session(self) -> None:
        if len(self._ledger.sessions) >= _SESSIONS:
            return
        behavior = self._random.choice(["release", "delete"])
        name = f"{self._ledger.prefix}{behavior}-{self._value()}"
        body = {"Name": name, "LockDelay": "0s", "Behavior": behavior}
        self._ledger.begin(Change(born=name))
        reply = self.speaker.ask("PUT", "/v1/session/create", json.dumps(body))
        session_id = json.loads(reply.body)["ID"] if reply.status == 200 else ""
        self._check(reply.status == 200, reply, session_id)

    def _end_session(self) -> None:
        if not self._ledger.sessions:
            return
        name, session_id = self._random.choice(sorted(self._ledger.sessions.items()))
        frees = name.startswith(f"{self._ledger.prefix}release")
        changes = {
            key: Row(row.value) if frees else None
            for key, row in self._ledger.rows.items()
            if row.holder == name
        }
        self._ledger.begin(Change(changes, dead=name))
        self._expect_true("PUT", f"/v1/session/destroy/{session_id}")

    # ---------------------------------------------------------------- answers

    def _value(self) -> str:
        """Never the same twice, and now and then larger than a page of the database."""
        filling = "x" * self._random.choice([0, 0, 0, 50, 500, 9000])
        return f"{self._seed}-{self._steps}{filling}"

    def _expect_true(self, method: str, target: str, body: str | None = None) -> None:
        reply = self.speaker.ask(method, target, body)
        self._check(reply.is_true, reply)

    def _check(self, done: bool, reply: Reply, session_id: str = "") -> None:
        if done:
            self._ledger.acknowledge(session_id)
        else:
            self.wrong.append(f"{self.name} was told {reply}")


class Reader(Worker):
    """One client that reads, and notes which indexes it saw."""

    def __init__(
        self, port: int, indexes: Indexes, tally: Tally, targets: list[str], calm: threading.Event
    ) -> None:
        self._indexes = indexes
        self._tally = tally
        self._targets = targets
        super().__init__("reader", port, calm)

    def step(self) -> None:
        for target in self._targets:
            reply = self.speaker.ask("GET", target)
            self.wrong += self._indexes.see(target, reply.index)
        for number in range(_COUNTERS):
            reply = self.speaker.ask("GET", f"/v1/kv/counter{number}?raw")
            self._tally.see(f"counter{number}", int(reply.body or 0))

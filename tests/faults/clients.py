"""Clients of keys: they read, write, compare-and-swap and delete through any server."""

from __future__ import annotations

import asyncio
import json
import random
import time
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.faults.history import FAIL, OK, UNKNOWN, History, Op
from tests.faults.speaking import LostError, NotSentError, Reply, Speaker, outcome_of

__all__ = ["Client", "Desk", "KeyClient", "StaleClient", "Target", "row_of"]

_KEYS_AT_ONCE = 4
_OPS_OF_A_KEY = 60
_UNKNOWNS_OF_A_KEY = 6
_TIMEOUT_S = 4.0
_PAUSE_S = 0.03


class Target(Protocol):
    """A server as clients know it."""

    @property
    def name(self) -> str: ...
    @property
    def http(self) -> str:
        """host:port"""

    @property
    def incarnation(self) -> int: ...


@dataclass
class Desk:
    """What all clients of a run share: where to ask, what time it is, where to write it down."""

    targets: list[Target]
    seed: str
    modes: list[str]
    """How reads that must be right are asked: default (empty) and `consistent`."""
    history: History = field(default_factory=History)
    stopping: bool = False
    began: float = field(default_factory=time.monotonic)
    errors: Counter[str] = field(default_factory=Counter)
    _processes: int = 0
    _keys: list[str] = field(default_factory=list)
    _key_ops: Counter[str] = field(default_factory=Counter)
    _made: int = 0

    def now(self) -> float:
        return time.monotonic() - self.began

    def process(self) -> int:
        self._processes += 1
        return self._processes

    def key(self, chance: random.Random) -> str:
        """One of a few keys; each is used a while and never again."""
        worn = [key for key in self._keys if self._key_ops[key] >= _OPS_OF_A_KEY]
        for key in worn:
            self._keys.remove(key)
        while len(self._keys) < _KEYS_AT_ONCE:
            self._made += 1
            self._keys.append(f"faults/keys/{self._made}")
        return chance.choice(self._keys)

    def count(self, op: Op) -> None:
        self._key_ops[op.key] += _OPS_OF_A_KEY // _UNKNOWNS_OF_A_KEY if op.outcome == UNKNOWN else 1


class Client:
    """One that asks one thing after the other."""

    def __init__(self, desk: Desk, name: str) -> None:
        self.desk = desk
        self.chance = random.Random(f"{desk.seed} {name}")
        self.speaker = Speaker(_TIMEOUT_S)
        self.process = desk.process()
        self._values = 0
        self._target = self.chance.choice(desk.targets)

    async def run(self) -> None:
        try:
            while not self.desk.stopping:
                await self.step()
                await asyncio.sleep(self.chance.uniform(0, _PAUSE_S))
        finally:
            await self.speaker.close()

    async def step(self) -> None:
        raise NotImplementedError

    def op(self, kind: str, key: str, **more: Any) -> Op:
        """One that is about to be asked, of the server as before or of another."""
        if self.chance.random() < 0.5:
            self._target = self.chance.choice(self.desk.targets)
        return Op(self.process, kind, key, self._target.name, **more)

    def value(self) -> str:
        self._values += 1
        return f"{self.process}.{self._values}"

    async def ask(self, op: Op, method: str, target: str, body: bytes = b"") -> Reply | None:
        """Do it, and fill in when and with what outcome; the caller adds it to the history."""
        at = next(one for one in self.desk.targets if one.name == op.server)
        op.incarnation = at.incarnation
        op.start = self.desk.now()
        reply = None
        try:
            reply = await self.speaker.ask(at.http, method, target, body)
            op.outcome = outcome_of(reply)
            op.error = reply.text if op.outcome != OK else ""
        except NotSentError as error:
            op.outcome, op.error = FAIL, f"not sent: {error}"
        except LostError as error:
            op.outcome, op.error = UNKNOWN, f"no answer: {error}"
        op.end = self.desk.now()
        if at.incarnation != op.incarnation:
            op.incarnation = -1
        if op.outcome != OK:
            self.desk.errors[f"{op.kind}: {op.outcome}: {op.error[:70]}"] += 1
            # A wait, or those whose server is gone would ask a thousand times a second.
            await asyncio.sleep(self.chance.uniform(0, 0.2))
        return reply if op.outcome == OK else None

    def note(self, op: Op) -> None:
        """One whose outcome is unknown is still under way: its client goes on as another."""
        self.desk.history.add(op)
        if op.outcome == UNKNOWN:
            self.process = self.desk.process()
            self._values = 0

    async def read(self, op: Op, target: str) -> dict[str, Any] | None:
        """The row, an empty one when it is not there; None without an answer."""
        question = f"?{op.mode}" if op.mode else ""
        reply = await self.ask(op, "GET", f"/v1/kv/{target}{question}")
        if reply is None:
            # A read changes nothing, whatever became of it.
            op.outcome = FAIL
            return None
        return row_of(reply, op)


def row_of(reply: Reply, op: Op) -> dict[str, Any]:
    op.seen_index = reply.index
    if reply.status == 404:
        return {}
    row: dict[str, Any] = json.loads(reply.body)[0]
    row["Value"] = b64decode(row["Value"] or "").decode()
    return row


class KeyClient(Client):
    """Everything that can be done with a key."""

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__(desk, name)
        self._seen: dict[str, tuple[str | None, int]] = {}

    async def step(self) -> None:
        key = self.desk.key(self.chance)
        kinds = ["get"] * 8 + ["put"] * 4 + ["cas"] * 5 + ["delete"]
        kind = self.chance.choice(kinds)
        if kind == "cas" and (key not in self._seen or self.chance.random() < 0.5):
            self._end(await self._get(key))
        if kind != "cas" or key in self._seen:
            self._end(await getattr(self, f"_{kind}")(key))

    def _end(self, op: Op) -> None:
        self.desk.count(op)
        self.note(op)
        if len(self._seen) > 2 * _KEYS_AT_ONCE:
            self._seen.pop(next(iter(self._seen)))

    async def _get(self, key: str) -> Op:
        op = self.op("get", key, mode=self.chance.choice(self.desk.modes))
        row = await self.read(op, key)
        if row is not None:
            op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
            self._seen[key] = (op.value, op.index)
        return op

    async def _put(self, key: str) -> Op:
        return await self._write(self.op("put", key, value=self.value()), "")

    async def _cas(self, key: str) -> Op:
        expected, index = self._seen.pop(key)
        op = self.op("cas", key, value=self.value(), expected=expected)
        return await self._write(op, f"?cas={index}")

    async def _write(self, op: Op, question: str) -> Op:
        assert op.value is not None
        target = f"/v1/kv/{op.key}{question}"
        reply = await self.ask(op, "PUT", target, op.value.encode())
        if reply is not None:
            op.done = reply.body.strip() == b"true"
        return op

    async def _delete(self, key: str) -> Op:
        op = self.op("delete", key)
        await self.ask(op, "DELETE", f"/v1/kv/{key}")
        return op


class StaleClient(Client):
    """Reads what a server has in its own memory, however old."""

    async def step(self) -> None:
        op = self.op("get", self.desk.key(self.chance), mode="stale")
        row = await self.read(op, op.key)
        if row is not None:
            op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
        self.note(op)

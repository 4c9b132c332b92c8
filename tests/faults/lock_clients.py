"""Clients that contend for locks, and write what the lock guards only while they hold it.

What guards the writes is `check-session` in the same transaction. Some hold on
without renewing until their session is long gone, and try to write then.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections import Counter

from tests.faults.clients import Client, Desk
from tests.faults.history import FAIL, OK, UNKNOWN, Op

__all__ = ["TTL_S", "LockClient", "Locks"]

TTL_S = 2.0
"""Of the sessions; servers end them between this and twice this after the last renewal."""
_OPS_OF_A_LOCK = 100
_UNKNOWNS_OF_A_LOCK = 8


class Locks:
    """The locks in use: each a while, then never again."""

    def __init__(self, count: int) -> None:
        self._names = [f"faults/locks/{number}.1" for number in range(count)]
        self._ops: Counter[str] = Counter()

    def name(self, number: int) -> str:
        name = self._names[number]
        if self._ops[name] >= _OPS_OF_A_LOCK:
            base, _, turn = name.rpartition(".")
            self._names[number] = name = f"{base}.{int(turn) + 1}"
        return name

    def count(self, op: Op) -> None:
        cost = _OPS_OF_A_LOCK // _UNKNOWNS_OF_A_LOCK if op.outcome == UNKNOWN else 1
        self._ops[op.key] += cost


class LockClient(Client):
    """Takes the lock, writes, lets go: `acquire`, `look`, `fenced`, `release`."""

    def __init__(self, desk: Desk, name: str, locks: Locks, number: int) -> None:
        super().__init__(desk, name)
        self._locks = locks
        self._number = number
        self._lock = ""
        self._session = ""
        self._lock_index = 0

    async def step(self) -> None:
        name = self._locks.name(self._number)
        if name != self._lock:
            await self._end_session()
            self._lock = name
        if not self._session and not await self._begin_session():
            return
        if await self._acquire():
            await self._hold()
        else:
            await self._renew()
            await (self._look() if self.chance.random() < 0.3 else self._data())
            await asyncio.sleep(self.chance.uniform(0, 0.15))

    async def _hold(self) -> None:
        """Write a few times, mostly renewing in time; then let go, or be gone."""
        await self._look()
        for _ in range(self.chance.randrange(1, 6)):
            await self._fenced()
            await asyncio.sleep(self.chance.uniform(0, 0.08))
            if not self._session:
                return
        fate = self.chance.random()
        if fate < 0.06:
            # Asleep beyond the end of the session: what it tries to write then must be refused.
            await asyncio.sleep(self.chance.uniform(TTL_S, 3 * TTL_S))
            await self._fenced()
        elif fate < 0.12:
            self._session = ""
        elif fate < 0.3:
            await self._end_session()
        else:
            await self._renew()
            await self._release()

    # ---------------------------------------------------------------- sessions

    async def _begin_session(self) -> bool:
        op = self.op("create", self._lock)
        delay = self.chance.choice(["0s", "0s", "1s"])
        body = {"TTL": f"{TTL_S:.0f}s", "LockDelay": delay, "NodeChecks": [], "Checks": []}
        reply = await self.ask(op, "PUT", "/v1/session/create", json.dumps(body).encode())
        if reply is not None:
            op.session = self._session = json.loads(reply.body)["ID"]
        self._add(op)
        return reply is not None

    async def _renew(self) -> None:
        if not self._session:
            return
        op = self.op("renew", self._lock, session=self._session)
        reply = await self.ask(op, "PUT", f"/v1/session/renew/{self._session}")
        op.done = reply is not None and reply.status == 200
        if reply is not None and reply.status == 404:
            self._session = ""
        self._add(op)

    async def _end_session(self) -> None:
        if not self._session:
            return
        op = self.op("destroy", self._lock, session=self._session)
        await self.ask(op, "PUT", f"/v1/session/destroy/{self._session}")
        self._session = ""
        self._add(op)

    # ---------------------------------------------------------------- the lock

    async def _acquire(self) -> bool:
        op = self.op("acquire", self._lock, session=self._session)
        self._lock_index = 0
        target = f"/v1/kv/{self._lock}/lock?acquire={self._session}"
        reply = await self.ask(op, "PUT", target, b"held")
        op.done = reply is not None and reply.body.strip() == b"true"
        self._add(op)
        return op.outcome == OK and op.done

    async def _release(self) -> None:
        op = self.op("release", self._lock, session=self._session)
        target = f"/v1/kv/{self._lock}/lock?release={self._session}"
        reply = await self.ask(op, "PUT", target, b"free")
        op.done = reply is not None and reply.body.strip() == b"true"
        self._add(op)

    async def _look(self) -> None:
        op = self.op("look", self._lock, mode=self.chance.choice(self.desk.modes))
        row = await self.read(op, f"{self._lock}/lock")
        if row is not None:
            op.session, op.lock_index = row.get("Session", ""), row.get("LockIndex", 0)
            if op.session == self._session:
                self._lock_index = op.lock_index
        self._add(op)

    async def _fenced(self) -> None:
        if not self._session:
            return
        op = self.op("fenced", self._lock, session=self._session)
        op.value, op.lock_index = self.value(), self._lock_index
        value = b64encode(op.value.encode()).decode()
        ops = [
            {"Verb": "check-session", "Key": f"{self._lock}/lock", "Session": self._session},
            {"Verb": "set", "Key": f"{self._lock}/data", "Value": value},
        ]
        body = json.dumps([{"KV": one} for one in ops]).encode()
        reply = await self.ask(op, "PUT", "/v1/txn", body)
        op.done = reply is not None and reply.status == 200
        self._add(op)

    async def _data(self) -> None:
        op = self.op("data", self._lock, mode=self.chance.choice(self.desk.modes))
        row = await self.read(op, f"{self._lock}/data")
        if row is not None:
            op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
        self._add(op)

    def _add(self, op: Op) -> None:
        session_is_gone = op.outcome == FAIL and "session" in op.error.lower()
        if (op.outcome == UNKNOWN and op.kind in ("acquire", "create")) or session_is_gone:
            # What became of it is not known, so it is not used again.
            self._session = ""
        self._locks.count(op)
        self.note(op)

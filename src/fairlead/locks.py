"""Locks and semaphores on keys, as Consul's own client makes them, so that both can contend.

A lock is one key held by a session. A semaphore of N is a key that lists up to
N holders, changed by compare-and-swap, and beside it one key a contender.
Source: the Go package `github.com/hashicorp/consul/api` and Consul's page "Semaphore".
"""

from __future__ import annotations

import json
import posixpath
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from itertools import count
from typing import Any

from fairlead.client import Client, Reply
from fairlead.errors import ConflictError, FairleadError, UnavailableError

__all__ = ["LOCK_FLAGS", "SEMAPHORE_FLAGS", "Holding", "Lock", "Semaphore"]

LOCK_FLAGS = 3304740253564472344
SEMAPHORE_FLAGS = 16210313421097356768

_TTL_S = 15
_WAIT_S = 15.0
# A wait of 0 would mean the agent's default of minutes.
_LEAST_WAIT_S = 0.001
_RETRY_S = 5.0
_MONITOR_RETRY_S = 1.0
# A network that loses everything must not let us wait for long after the session has ended.
_RENEW_LIMIT_S = 5.0

_Row = dict[str, Any]


class Holding:
    """A session that is kept alive, and whether what it holds is still held."""

    def __init__(self, client: Client, name: str, monitor_retries: int) -> None:
        self.client = client
        self.lost = threading.Event()
        self.session = ""
        self._name = name
        self._retries = monitor_retries
        self._done = threading.Event()

    def open(self, behavior: str) -> None:
        """Make the session and start to renew it; `behavior` says what becomes of its keys."""
        row = {"Name": self._name, "TTL": f"{_TTL_S}s", "Behavior": behavior}
        try:
            reply = self.client.put("/v1/session/create", json.dumps(row).encode())
            self.session = reply.field("ID")
        except FairleadError as error:
            text = f"failed to create session: {error}"
            raise UnavailableError(text, hint=error.hint) from error
        self._start(self._renew, limit_s=_RENEW_LIMIT_S)

    def close(self) -> None:
        """End the session; what it held is let go of."""
        self._done.set()
        if self.session:
            self.client.put(f"/v1/session/destroy/{self.session}")
            self.session = ""

    def watch(self, key: str, flags: int, holds: Callable[[_Row], bool]) -> None:
        """Set `lost` as soon as `holds(row)` is false for the row of `key`."""
        self._start(lambda client: self._monitor(client, key, flags, holds))

    def _start(self, look: Callable[[Client], None], limit_s: float | None = None) -> None:
        """Look after what is held in a thread; when that ends, nobody knows that it is held."""

        def run() -> None:
            client = self.client.clone(limit_s)
            try:
                look(client)
            finally:
                client.close()
                if not self._done.is_set():
                    self.lost.set()

        threading.Thread(target=run, daemon=True).start()

    def _renew(self, client: Client) -> None:
        session = self.session
        alive_until = time.monotonic() + _TTL_S
        pause_s = _TTL_S / 2
        while not self._done.wait(pause_s):
            asked = time.monotonic()
            try:
                reply = client.put(f"/v1/session/renew/{session}")
            except FairleadError:
                if time.monotonic() > alive_until:
                    break
                pause_s = _MONITOR_RETRY_S
                continue
            if reply.status == 404:
                break
            alive_until = asked + _TTL_S
            pause_s = _TTL_S / 2

    def _monitor(self, client: Client, key: str, flags: int, holds: Callable[[_Row], bool]) -> None:
        index, failures = 0, 0
        while not self._done.is_set():
            try:
                reply = client.get(f"/v1/kv/{key}", index=index or None, consistent="")
                row = _row(reply)
            except FairleadError:
                failures += 1
                if failures > self._retries:
                    break
                # An agent that comes back may be another, with an index below ours.
                index = 0
                self._done.wait(_MONITOR_RETRY_S)
                continue
            failures = 0
            if row is None or row["Flags"] != flags or not holds(row):
                break
            index = reply.next_index(index)


class Lock:
    """One holder at a time."""

    behavior = "release"

    def __init__(self, holding: Holding, key: str) -> None:
        self.key = key
        self._holding = holding
        self._client = holding.client

    def acquire(self, deadline: float | None) -> bool:
        """Wait until the lock is ours; False when `deadline` (monotonic) passes first.

        It is tried once, however late it is.

        Raises:
            ConflictError: the key is used for something else.
        """
        session = self._holding.session
        index = 0
        for attempt in count():
            wait = _next_wait(deadline, attempt)
            if wait is None:
                return False
            reply = self._client.get(
                f"/v1/kv/{self.key}", index=index or None, wait=wait, consistent=""
            )
            row = _row(reply)
            if row is not None and row["Flags"] != LOCK_FLAGS:
                raise ConflictError("Existing key does not match lock use", hint=_other_use(row))
            holder = row.get("Session") if row is not None else None
            if holder == session:
                break
            if holder:
                index = reply.next_index(index)
                continue
            if self._client.put(f"/v1/kv/{self.key}", flags=LOCK_FLAGS, acquire=session).json():
                break
            index = 0
            if not self._is_held():
                # Nobody holds it and we may not: its lock-delay runs.
                time.sleep(_pause_s(deadline))
        self._holding.watch(self.key, LOCK_FLAGS, lambda row: row.get("Session") == session)
        return True

    def _is_held(self) -> bool:
        row = _row(self._client.get(f"/v1/kv/{self.key}", consistent=""))
        return row is not None and bool(row.get("Session"))

    def release(self) -> None:
        """Let go of the lock; nothing happens when it is not ours."""
        session = self._holding.session
        if session:
            self._client.put(f"/v1/kv/{self.key}", flags=LOCK_FLAGS, release=session)

    def destroy(self) -> bool:
        """Delete the key unless somebody else holds it by now."""
        return _delete_if(self._client, self.key, lambda row: not row.get("Session"))


class Semaphore:
    """Up to `limit` holders at a time."""

    behavior = "delete"

    def __init__(self, holding: Holding, prefix: str, limit: int) -> None:
        self.prefix = prefix
        self.key = posixpath.join(prefix, ".lock")
        self._holding = holding
        self._client = holding.client
        self._limit = limit

    def acquire(self, deadline: float | None) -> bool:
        """Wait until one of the places is ours; False when `deadline` passes first.

        It is tried once, however late it is.

        Raises:
            ConflictError: the key is used for something else, or with another limit.
        """
        session = self._holding.session
        reply = self._client.put(self._contender(), flags=SEMAPHORE_FLAGS, acquire=session)
        if reply.json() is not True:
            raise UnavailableError("failed to make contender entry")
        index = 0
        for attempt in count():
            wait = _next_wait(deadline, attempt)
            if wait is None:
                return False
            path = f"/v1/kv/{posixpath.join(self.prefix, '')}"
            reply = self._client.get(
                path, recurse="", index=index or None, wait=wait, consistent=""
            )
            rows = {row["Key"]: row for row in reply.rows()}
            holders = self._living_holders(rows)
            if len(holders) >= self._limit:
                index = reply.next_index(index)
                continue
            if self._write(rows.get(self.key), [*holders, session]):
                break
            index = 0
        self._holding.watch(self.key, SEMAPHORE_FLAGS, lambda row: self._lists(row, session))
        return True

    def _lists(self, row: _Row, session: str) -> bool:
        """Whether we have a place: in a key that became something else, nobody has."""
        try:
            return session in self._holders(row)
        except ConflictError:
            return False

    def _contender(self) -> str:
        return f"/v1/kv/{posixpath.join(self.prefix, self._holding.session)}"

    def _living_holders(self, rows: dict[str, Any]) -> list[str]:
        """The holders whose contender entry still has its session."""
        row = rows.get(self.key)
        if row is None:
            return []
        if row["Flags"] != SEMAPHORE_FLAGS:
            raise ConflictError("Existing key does not match semaphore use", hint=_other_use(row))
        alive = {row["Session"] for row in rows.values() if row.get("Session")}
        return [holder for holder in self._holders(row) if holder in alive]

    def _holders(self, row: _Row) -> list[str]:
        """Those listed in the semaphore's key.

        Raises:
            ConflictError: it lists nothing, or has another limit.
        """
        try:
            value = json.loads(b64decode(row["Value"] or ""))
            limit, holders = value["Limit"], list(value["Holders"] or ())
        except (ValueError, TypeError, LookupError) as error:
            raise ConflictError(f"lock decoding failed: {error}", hint=_other_use(row)) from error
        if limit != self._limit:
            raise ConflictError(
                f"semaphore limit conflict (lock: {limit}, local: {self._limit})",
                hint=f"All who use it must say the same: -n {limit}.",
            )
        return holders

    def _write(self, row: _Row | None, holders: list[str]) -> bool:
        value = {"Limit": self._limit, "Holders": dict.fromkeys(holders, True)}
        body = json.dumps(value, separators=(",", ":")).encode()
        cas = row["ModifyIndex"] if row is not None else 0
        reply = self._client.put(f"/v1/kv/{self.key}", body, cas=cas, flags=SEMAPHORE_FLAGS)
        return reply.json() is True

    def release(self) -> None:
        """Leave the list of holders; nothing happens when we are not in it."""
        session = self._holding.session
        if not session:
            return
        try:
            while True:
                row = _row(self._client.get(f"/v1/kv/{self.key}", consistent=""))
                holders = self._holders(row) if row is not None else []
                if session not in holders:
                    break
                holders.remove(session)
                if self._write(row, holders):
                    break
        except ConflictError:
            # The key became something else: there is no list of holders to leave.
            pass
        self._client.delete(self._contender())

    def destroy(self) -> bool:
        """Delete the key unless somebody else holds a place by now."""
        return _delete_if(self._client, self.key, lambda row: not self._holders(row))


def _next_wait(deadline: float | None, attempt: int) -> str | None:
    """How long to wait next, as a parameter; None when the deadline has passed."""
    left = _WAIT_S if deadline is None else deadline - time.monotonic()
    if left <= 0 and attempt:
        return None
    return f"{max(min(left, _WAIT_S), _LEAST_WAIT_S):.3f}s"


def _pause_s(deadline: float | None) -> float:
    left = _RETRY_S if deadline is None else deadline - time.monotonic()
    return max(min(left, _RETRY_S), 0)


def _row(reply: Reply) -> _Row | None:
    rows = reply.rows()
    return rows[0] if rows else None


def _other_use(row: _Row) -> str:
    return f"Look at it with 'fairlead kv get -detailed {row['Key']}', or use another prefix."


def _delete_if(client: Client, key: str, unused: Callable[[_Row], bool]) -> bool:
    row = _row(client.get(f"/v1/kv/{key}", consistent=""))
    if row is None:
        return True
    if not unused(row):
        return False
    return client.delete(f"/v1/kv/{key}", cas=row["ModifyIndex"]).json() is True

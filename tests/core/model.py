"""A model of keys, sessions and locks that is simple enough to be believed.

Dictionaries and copies, no indexes over them, no overlays, no batches: what a
reader of Consul's documentation would write down on one page.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from fairlead.core.commands import (
    Command,
    KVDelete,
    KVDeleteTree,
    KVLock,
    KVOp,
    KVSet,
    KVUnlock,
    SessionCreate,
    SessionDestroy,
    Txn,
)

__all__ = ["Model", "Refused"]


class Refused(Exception):  # noqa: N818 (an answer, not a fault)
    """The command is refused and changes nothing."""


@dataclass(frozen=True)
class Key:
    value: bytes | None
    flags: int = 0
    lock_index: int = 0
    session: str = ""
    created: int = 0
    modified: int = 0


@dataclass
class Model:
    index: int = 0
    keys: dict[str, Key] = field(default_factory=dict)
    sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    delays: dict[str, int] = field(default_factory=dict)
    # Whether anything was written or deleted, even if later operations took it back.
    touched: bool = False

    def play(self, command: Command) -> Any:
        """The answer; the index is raised if anything changed."""
        before = copy.deepcopy(self)
        self.touched = False
        try:
            answer = self._play(command)
        except Refused:
            self.__dict__.update(before.__dict__)
            raise
        if self.touched:
            self.index += 1
        return answer

    def _play(self, command: Command) -> Any:
        match command:
            case KVSet():
                return self._set(command.key, command.value, command.flags, command.cas)
            case KVLock(key, value, flags, session, now_ns):
                return self._lock(key, value, flags, session, now_ns)
            case KVUnlock(key, value, flags, session):
                return self._unlock(key, value, flags, session)
            case KVDelete(key, cas):
                if key in self.keys and cas is not None and cas != self.keys[key].modified:
                    return False
                self.touched |= self.keys.pop(key, None) is not None
                return True
            case KVDeleteTree(prefix):
                for key in [key for key in self.keys if key.startswith(prefix)]:
                    del self.keys[key]
                    self.touched = True
                return True
            case SessionCreate(row):
                self.touched = True
                self.sessions[row.id] = (row.behavior, row.lock_delay)
                return row.id
            case SessionDestroy(session, now_ns):
                return self._destroy(session, now_ns)
            case Txn(ops, now_ns):
                return self._txn([op for op in ops if isinstance(op, KVOp)], now_ns)
        raise AssertionError(command)

    def _set(self, key: str, value: bytes | None, flags: int, cas: int | None) -> bool:
        old = self.keys.get(key)
        if cas is not None and cas != (old.modified if old else 0):
            return False
        self._write(key, Key(value, flags, 0, old.session if old else ""))
        return True

    def _write(self, key: str, new: Key) -> None:
        old = self.keys.get(key)
        if old is not None and replace(new, created=old.created, modified=old.modified) == old:
            return
        created = old.created if old else self.index + 1
        self.touched = True
        self.keys[key] = replace(new, created=created, modified=self.index + 1)

    def _lock(self, key: str, value: bytes | None, flags: int, session: str, now_ns: int) -> bool:
        if self.delays.get(key, 0) > now_ns:
            return False
        if session not in self.sessions:
            raise Refused
        old = self.keys.get(key, Key(None))
        if old.session not in ("", session):
            return False
        count = old.lock_index if old.session else old.lock_index + 1
        self._write(key, Key(value, flags, count, session))
        return True

    def _unlock(self, key: str, value: bytes | None, flags: int, session: str) -> bool:
        if not session:
            raise Refused
        old = self.keys.get(key)
        if old is None or old.session != session:
            return False
        self._write(key, Key(value, flags, old.lock_index, ""))
        return True

    def _destroy(self, session: str, now_ns: int) -> bool:
        if session not in self.sessions:
            return True
        behavior, delay_ns = self.sessions.pop(session)
        self.touched = True
        for key, row in list(self.keys.items()):
            if row.session == session:
                if behavior == "delete":
                    del self.keys[key]
                else:
                    self._write(key, replace(row, session=""))
                if delay_ns:
                    self.delays[key] = now_ns + delay_ns
        return True

    def _txn(self, ops: list[KVOp], now_ns: int) -> list[int] | str:
        """The positions that failed; or `done`."""
        before = copy.deepcopy(self.keys)
        failed = [place for place, op in enumerate(ops) if not self._op(op, now_ns)]
        if failed:
            self.keys, self.touched = before, False
            return failed
        return "done"

    def _op(self, op: KVOp, now_ns: int) -> bool:
        row = self.keys.get(op.key)
        match op.verb:
            case "set":
                return self._set(op.key, op.value, op.flags, None)
            case "cas":
                return self._set(op.key, op.value, op.flags, op.index)
            case "get":
                return row is not None
            case "check-index":
                return row is not None and row.modified == op.index
            case "check-not-exists":
                return row is None
            case "check-session":
                return row is not None and row.session == op.session
            case "delete":
                return bool(self._play(KVDelete(op.key)))
            case "delete-cas":
                return bool(self._play(KVDelete(op.key, op.index)))
            case "delete-tree":
                return bool(self._play(KVDeleteTree(op.key)))
        try:
            if op.verb == "lock":
                return self._lock(op.key, op.value, op.flags, op.session, now_ns)
            return self._unlock(op.key, op.value, op.flags, op.session)
        except Refused:
            return False

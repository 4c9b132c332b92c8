"""Keys below a prefix, copied from another datacenter and kept the same (`kv_replication`).

The other datacenter is followed by blocking reads. Only what differs is
written here, and what is not there is deleted; an answer that is no list of
keys changes nothing. Sessions and locks are each datacenter's own.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import quote

import msgspec

from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.wan.wan import Wan
from fairlead.core.commands import KVDelete, KVSet
from fairlead.core.rows import KVRow
from fairlead.core.state import State
from fairlead.errors import FairleadError, UnavailableError
from fairlead.store import Store

__all__ = ["Replication", "differences"]

log = logging.getLogger("agent.wan")

# What somebody changed here is repaired after this time, if nothing changes there.
_WAIT = "60s"
_RETRY_S = 2.0
_AT_ONCE = 256
_INDEX = b"x-consul-index:"
_NOT_FOUND = 404


class _Row(KVRow, frozen=True, gc=False, rename="pascal"):
    """A key as the API shows it; what it shows besides is ignored."""


def differences(state: State, prefix: str, theirs: list[KVRow]) -> list[KVSet | KVDelete]:
    """The writes after which the keys below `prefix` are as they are there."""
    wanted = {row.key: row for row in theirs if row.key.startswith(prefix)}
    commands: list[KVSet | KVDelete] = []
    for key, row in wanted.items():
        own = state.kv.rows.get(key)
        if own is None or own.value != row.value or own.flags != row.flags:
            commands.append(KVSet(key, row.value, row.flags))
    gone = [key for key in state.kv.keys_under(prefix) if key not in wanted]
    return [*commands, *map(KVDelete, gone)]


class Replication:
    """One prefix of one datacenter."""

    def __init__(self, wan: Wan, store: Store, datacenter: str, prefix: str) -> None:
        self._wan = wan
        self._store = store
        self._datacenter = datacenter
        self._prefix = prefix
        self._index = 0
        self._is_silent = False

    async def run(self) -> None:
        """Follow for ever, where this server leads."""
        while True:
            if not self._wan.leads():
                self._index = 0
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._step()
                self._is_silent = False
            except FairleadError as error:
                self._index = 0
                if not self._is_silent:
                    text = "keys cannot be copied: datacenter=%s prefix=%s why=%s"
                    log.warning(text, self._datacenter, self._prefix, error)
                self._is_silent = True
                await asyncio.sleep(_RETRY_S)

    async def _step(self) -> None:
        target = f"/v1/kv/{quote(self._prefix)}?recurse&index={self._index}&wait={_WAIT}"
        reply = await self._wan.path(self._datacenter).request("GET", target.encode())
        theirs = _rows(reply)
        index = _index_of(reply)
        if not index:
            raise UnavailableError("an answer without an index")
        if not self._wan.leads():
            return
        commands = differences(self._store.state, self._prefix, theirs)
        for start in range(0, len(commands), _AT_ONCE):
            some = commands[start : start + _AT_ONCE]
            await asyncio.gather(*map(self._wan.submit, some))
        if commands:
            text = "keys copied: datacenter=%s prefix=%s changes=%d"
            log.info(text, self._datacenter, self._prefix, len(commands))
        self._index = index if index >= self._index else 0


def _rows(reply: Reply) -> list[KVRow]:
    """Raises: UnavailableError, it is no list of keys."""
    if reply.status == _NOT_FOUND and _index_of(reply):
        return []
    if reply.status != 200:
        text = reply.body.decode("utf-8", "replace")
        raise UnavailableError(f"status {reply.status}: {text}")
    try:
        return list(msgspec.json.decode(reply.body, type=list[_Row]))
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"an answer that cannot be read: {error}") from error


def _index_of(reply: Reply) -> int:
    for line in reply.headers.split(b"\r\n"):
        if line.lower().startswith(_INDEX):
            text = line[len(_INDEX) :].strip()
            return int(text) if text.isdigit() else 0
    return 0

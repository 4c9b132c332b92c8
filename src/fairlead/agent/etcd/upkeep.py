"""Keeping etcd's database small: history is cut, free pages are given back, a full one is freed.

Every server looks after its own member; one at a time is defragmented, for it
answers nobody meanwhile. The history is cut by whoever leads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from aetcd import rpc

from fairlead.agent.etcd.command import Limits
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import RefusedError
from fairlead.errors import UnavailableError

__all__ = ["Upkeep"]

log = logging.getLogger("agent.etcd")

_INTERVAL_S = 60.0
_FULL_INTERVAL_S = 5.0
# Not worth a compaction.
_FEW_REVISIONS = 1000
# Defragmenting 8 GiB takes minutes; nobody else does so meanwhile.
_TURN_S = 600
_TURN_KEY = b"/fairlead-etcd/defragmenting"
# What defragmenting gives back has to be worth the silence: this much, and half of the file.
_WORTH_BYTES = 64 * 1024 * 1024
_NOSPACE = 1
_LOW = 0.8


class Upkeep:
    """One server's part; `is_leader` says whether this one leads."""

    def __init__(
        self,
        client: Client,
        limits: Limits,
        is_leader: Callable[[], bool],
        interval_s: float = _INTERVAL_S,
    ) -> None:
        self._client = client
        self._limits = limits
        self._is_leader = is_leader
        self._interval_s = interval_s
        self._last_revision = 0

    async def run(self) -> None:
        """For ever; an etcd that does not answer is asked again later."""
        while True:
            is_full = False
            try:
                is_full = await self.look()
            except UnavailableError as error:
                log.debug("etcd's upkeep has to wait: why=%s", error)
            await asyncio.sleep(
                min(_FULL_INTERVAL_S, self._interval_s) if is_full else self._interval_s
            )

    async def look(self) -> bool:
        """See to what is due. Whether etcd was full.

        Raises:
            UnavailableError: etcd does not answer.
        """
        alarms = [alarm for alarm in await self._client.alarms() if alarm.alarm == _NOSPACE]
        if alarms:
            await self._make_room(alarms)
            return True
        status = await self._client.status()
        if self._is_leader():
            await self._compact_to_last(status)
        free = status.dbSize - status.dbSizeInUse
        if free > _WORTH_BYTES and free > status.dbSizeInUse:
            await self._defragment_in_turn(status)
        return False

    async def _compact_to_last(self, status: Any) -> None:
        """Cut what was history already when this was called last: watches have that long."""
        last, self._last_revision = self._last_revision, status.header.revision
        if last and status.header.revision - last >= _FEW_REVISIONS:
            await self._compact(last)

    async def _compact(self, revision: int) -> None:
        # Somebody may have done it already.
        with contextlib.suppress(RefusedError, UnavailableError):
            await self._client.compact(revision, physical=True)
            log.debug("etcd's history is cut: revision=%d", revision)

    async def _defragment_in_turn(self, status: Any) -> None:
        lease = (await self._client.lease_grant(_TURN_S)).ID
        try:
            free = rpc.Compare(
                result=rpc.Compare.EQUAL,
                target=rpc.Compare.CREATE,
                key=_TURN_KEY,
                create_revision=0,
            )
            name = f"{status.header.member_id:x}".encode()
            put = rpc.RequestOp(request_put=rpc.PutRequest(key=_TURN_KEY, value=name, lease=lease))
            if (await self._client.txn([free], [put])).succeeded:
                await self._defragment(status)
        finally:
            with contextlib.suppress(UnavailableError):
                await self._client.lease_revoke(lease)

    async def _defragment(self, status: Any) -> Any:
        await self._client.defragment()
        after = await self._client.status()
        log.info(
            "etcd's database is defragmented: bytes_before=%d bytes_after=%d",
            status.dbSize,
            after.dbSize,
        )
        return after

    async def _make_room(self, alarms: list[Any]) -> None:
        """etcd refuses every write. Nobody can take turns, so each sees to its own at once."""
        status = await self._client.status()
        limit = self._limits.quota_bytes
        log.error(
            "etcd is full and takes no writes: used=%d bytes=%d limit=%d; cutting its history and "
            "defragmenting it; if that is not enough, delete keys that nobody needs",
            status.dbSizeInUse,
            status.dbSize,
            limit,
        )
        await self._compact(status.header.revision)
        status = await self._defragment(status)
        own = status.header.member_id
        if any(alarm.memberID == own for alarm in alarms) and status.dbSize < limit * _LOW:
            await self._client.disarm(own)
            log.warning("etcd has room again and takes writes: bytes=%d", status.dbSize)

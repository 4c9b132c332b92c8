"""A thin client of etcd's v3 API, over grpc.aio and the messages of `aetcd.rpc`.

Answers are etcd's own messages. Every call raises what `failures` names:
UnavailableError when there is no answer (of a write, nobody knows whether it
was made), SettingsError when etcd will not have this user.

To ask one certain member (`status`, `defragment`, `snapshot`), make a client of
its address alone.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any

from aetcd import rpc

from fairlead.engines.etcd import streams
from fairlead.engines.etcd.address import Address
from fairlead.engines.etcd.channels import TIMEOUT_S, Channels
from fairlead.engines.etcd.failures import LeaseLostError
from fairlead.errors import SettingsError

__all__ = ["Client", "check_version"]

_LONG_S = 600.0
_NOSPACE = rpc.AlarmType.Value("NOSPACE")


class Client:
    """Calls to one etcd cluster; made anywhere, used in one event loop."""

    def __init__(self, address: Address, *, timeout: float = TIMEOUT_S) -> None:
        self.address = address
        self._timeout = timeout
        self._channels = Channels(address)

    @property
    def place(self) -> str:
        """The address in use, for people."""
        return self._channels.place

    async def close(self) -> None:
        await self._channels.close()

    # Keys

    async def range(
        self,
        key: bytes,
        end: bytes = b"",
        *,
        limit: int = 0,
        revision: int = 0,
        serializable: bool = False,
        keys_only: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """The keys from `key` up to `end` (only `key` without), in order.

        `serializable` asks the member in use alone: it may be behind, and needs no quorum.

        Raises:
            CompactedError: there is nothing left of `revision`.
        """
        request = rpc.RangeRequest(
            key=key,
            range_end=end,
            limit=limit,
            revision=revision,
            serializable=serializable,
            keys_only=keys_only,
        )
        # A member that is asked alone answers for itself: another may be further behind.
        return await self._ask("KV", "Range", request, safe=not revision, timeout=timeout)

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> Any:
        return await self._ask("KV", "Put", rpc.PutRequest(key=key, value=value, lease=lease))

    async def delete_range(self, key: bytes, end: bytes = b"") -> Any:
        request = rpc.DeleteRangeRequest(key=key, range_end=end)
        return await self._ask("KV", "DeleteRange", request)

    async def txn(
        self,
        compare: Iterable[Any],
        success: Iterable[Any],
        failure: Iterable[Any] = (),
        *,
        safe: bool = False,
        timeout: float | None = None,
    ) -> Any:
        """`success` if all of `compare` hold, else `failure`; `safe` as it may be done twice."""
        request = rpc.TxnRequest(compare=compare, success=success, failure=failure)
        return await self._ask("KV", "Txn", request, safe=safe, timeout=timeout)

    def watch(self, key: bytes, end: bytes, revision: int) -> AsyncGenerator[Any, None]:
        """See `streams.watch`."""
        return streams.watch(self._channels, key, end, revision)

    async def compact(self, revision: int, *, physical: bool = False) -> None:
        request = rpc.CompactionRequest(revision=revision, physical=physical)
        await self._ask("KV", "Compact", request, safe=True, timeout=_LONG_S)

    # Leases

    async def lease_grant(self, ttl: int) -> Any:
        return await self._ask("Lease", "LeaseGrant", rpc.LeaseGrantRequest(TTL=ttl))

    async def lease_revoke(self, lease: int, *, timeout: float | None = None) -> None:
        """End it; one that is over already is well too."""
        request = rpc.LeaseRevokeRequest(ID=lease)
        with contextlib.suppress(LeaseLostError):
            await self._ask("Lease", "LeaseRevoke", request, safe=True, timeout=timeout)

    async def lease_ttl(self, lease: int) -> int:
        """Seconds left; -1 when it is over."""
        request = rpc.LeaseTimeToLiveRequest(ID=lease)
        return int((await self._ask("Lease", "LeaseTimeToLive", request, safe=True)).TTL)

    def lease_stream(self, lease: int) -> streams.LeaseStream:
        """What keeps a lease alive."""
        return streams.LeaseStream(self._channels, lease)

    # Members

    async def member_list(self) -> list[Any]:
        request = rpc.MemberListRequest()
        return list((await self._ask("Cluster", "MemberList", request, safe=True)).members)

    async def member_add(self, peer_urls: Sequence[str], *, learner: bool = False) -> Any:
        """Its answer has the new `member` and all `members`."""
        request = rpc.MemberAddRequest(peerURLs=peer_urls, isLearner=learner)
        return await self._ask("Cluster", "MemberAdd", request)

    async def member_remove(self, member: int) -> None:
        await self._ask("Cluster", "MemberRemove", rpc.MemberRemoveRequest(ID=member))

    async def member_update(self, member: int, peer_urls: Sequence[str]) -> None:
        request = rpc.MemberUpdateRequest(ID=member, peerURLs=peer_urls)
        await self._ask("Cluster", "MemberUpdate", request, safe=True)

    async def member_promote(self, member: int) -> None:
        """Raises RefusedError as long as the learner is behind."""
        await self._ask("Cluster", "MemberPromote", rpc.MemberPromoteRequest(ID=member))

    async def move_leader(self, member: int) -> None:
        await self._ask("Maintenance", "MoveLeader", rpc.MoveLeaderRequest(targetID=member))

    # Maintenance of the member in use

    async def status(self) -> Any:
        """`version`, `dbSize`, `dbSizeInUse`, `leader`, `raftIndex`, `errors`, `isLearner`, …"""
        return await self._ask("Maintenance", "Status", rpc.StatusRequest(), safe=True)

    async def defragment(self) -> None:
        """It answers nobody else while it does."""
        await self._ask("Maintenance", "Defragment", rpc.DefragmentRequest(), timeout=_LONG_S)

    async def alarms(self) -> list[Any]:
        """Each has `memberID` and `alarm`: 1 is NOSPACE, 2 CORRUPT."""
        request = rpc.AlarmRequest(action=rpc.AlarmRequest.GET)
        return list((await self._ask("Maintenance", "Alarm", request, safe=True)).alarms)

    async def disarm(self, member: int, alarm: int = _NOSPACE) -> None:
        request = rpc.AlarmRequest(action=rpc.AlarmRequest.DEACTIVATE, memberID=member, alarm=alarm)
        await self._ask("Maintenance", "Alarm", request, safe=True)

    def snapshot(self) -> AsyncGenerator[bytes, None]:
        """See `streams.snapshot`."""
        return streams.snapshot(self._channels)

    async def _ask(
        self,
        service: str,
        method: str,
        request: Any,
        *,
        safe: bool = False,
        timeout: float | None = None,
    ) -> Any:
        return await self._channels.call(
            service, method, request, timeout=timeout or self._timeout, safe=safe
        )


def check_version(version: str, place: str) -> None:
    """Refuse what loses events or answers wrongly: before 3.4.23, and 3.5 before 3.5.16.

    Raises:
        SettingsError: it is one of those.
    """
    found = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if len(found) == 3 and ((3, 4, 23) <= found < (3, 5) or found >= (3, 5, 16)):
        return
    raise SettingsError(
        f"etcd at {place} is version {version}, which is not fit",
        hint="install etcd 3.4.23 or later of 3.4, or 3.5.16 or later",
    )

"""The calls that go on: watches, leases that are kept alive, snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import grpc
from aetcd import rpc

from fairlead.engines.etcd.channels import TIMEOUT_S, Channels
from fairlead.engines.etcd.failures import CompactedError, LeaseLostError, failure
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["LeaseStream", "snapshot", "watch"]

# etcd ends the stream of a member that has lost the others, instead of staying silent.
_WITH_LEADER = (("hasleader", "true"),)


async def watch(
    channels: Channels, key: bytes, end: bytes, revision: int
) -> AsyncGenerator[Any, None]:
    """What etcd sends about the keys from `key` up to `end`, from `revision` on.

    The first answer says that it was `created`; one without events tells how far
    the watch has come. One revision may come in several answers (`fragment`).

    Raises:
        CompactedError: events from there on are lost.
        UnavailableError: the stream ended; go on after the last revision seen.
    """
    stream, place = await channels.stream("Watch", "Watch", metadata=_WITH_LEADER)
    wanted = rpc.WatchCreateRequest(
        key=key, range_end=end, start_revision=revision, progress_notify=True, fragment=True
    )
    try:
        await _write(stream, rpc.WatchRequest(create_request=wanted))
        async for answer in stream:
            if answer.canceled:
                raise _cancelled(answer, place)
            yield answer
        raise UnavailableError(f"etcd at {place} ended the watch")
    except grpc.aio.AioRpcError as error:
        cause = failure(error, place)
        channels.move_on(place, cause)
        raise cause from error
    except UnavailableError as error:
        channels.move_on(place, error)
        raise
    finally:
        stream.cancel()


def _cancelled(answer: Any, place: str) -> FairleadError:
    if answer.compact_revision:
        return CompactedError(f"etcd has compacted up to revision {answer.compact_revision}")
    return UnavailableError(f"etcd at {place} ended the watch: {answer.cancel_reason}")


class LeaseStream:
    """Keeps one lease alive. Only one call of `renew` is under way at a time.

    So an answer never belongs to an older question, and a member that was
    stopped and goes on cannot answer many at once.
    """

    def __init__(self, channels: Channels, lease: int) -> None:
        self._channels = channels
        self._lease = lease
        self._stream: Any = None
        self._place = ""

    async def renew(self, timeout: float) -> int:
        """Keep it alive; how many seconds it has from when this was called.

        Raises:
            LeaseLostError: it is over.
            UnavailableError: no answer in time; the stream is opened anew by the next call.
        """
        try:
            async with asyncio.timeout(timeout):
                if self._stream is None:
                    found = await self._channels.stream("Lease", "LeaseKeepAlive")
                    self._stream, self._place = found
                await _write(self._stream, rpc.LeaseKeepAliveRequest(ID=self._lease))
                answer = await self._stream.read()
        except TimeoutError as error:
            raise self._failed(
                UnavailableError(f"etcd at {self._channels.place} does not answer in time")
            ) from error
        except grpc.aio.AioRpcError as error:
            raise self._failed(failure(error, self._place)) from error
        except UnavailableError as error:
            raise self._failed(error) from error
        if answer is grpc.aio.EOF:
            raise self._failed(UnavailableError(f"etcd at {self._place} ended the stream"))
        if answer.TTL <= 0:
            raise LeaseLostError(f"etcd at {self._place} has ended the lease")
        return int(answer.TTL)

    def _failed(self, cause: FairleadError) -> FairleadError:
        self.close()
        self._channels.move_on(self._place or self._channels.place, cause)
        return cause

    def close(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None


async def snapshot(channels: Channels) -> AsyncGenerator[bytes, None]:
    """The whole database file of the member in use, and its SHA-256 at the end, in pieces.

    Raises:
        UnavailableError: it ended before it was complete.
    """
    stream, place = await channels.stream("Maintenance", "Snapshot", rpc.SnapshotRequest())
    try:
        async for answer in stream:
            yield answer.blob
    except grpc.aio.AioRpcError as error:
        raise failure(error, place) from error
    finally:
        stream.cancel()


async def _write(stream: Any, request: Any) -> None:
    """Send it; gRPC says why it failed only when the stream is read."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await stream.write(request)
    except TimeoutError as error:
        raise UnavailableError("etcd does not take what is sent to it") from error
    except asyncio.InvalidStateError as error:
        code, details = await stream.code(), await stream.details()
        raise UnavailableError(f"etcd ended the stream: {details or code}") from error

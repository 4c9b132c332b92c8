"""Taking the lead and keeping it: a key under a lease, which is kept alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from fairlead.engines import Leader
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import LeaseLostError
from fairlead.engines.etcd.layout import Layout, compare, put, write
from fairlead.errors import DeposedError, FairleadError

__all__ = ["LEASE_S", "Campaign", "Lead"]

log = logging.getLogger("engine.etcd")

LEASE_S = 3
"""How long nobody leads after a leader vanished."""

# For clocks that do not run alike, and the time from a look at the clock to what rests on it.
_MARGIN_S = 0.1
_PAUSE_S = 0.1
_RETRY_S = 0.5
_LAST_WORDS_S = 1.0


class Lead:
    """This server's own lead: which lease it rests on, and until when.

    `revision` is that of the leader key's creation, 0 without the lead; every
    write is fenced by it. `lost` is called once when a lead is over.
    """

    def __init__(self, client: Client, layout: Layout, lost: Callable[[], None]) -> None:
        self._client = client
        self._layout = layout
        self._lost = lost
        self.lease = 0
        self.revision = 0
        self.is_ready = False
        self.is_followed = False
        """Whether the feed is there to see this server win; without it the lead is not taken."""
        self._until = 0.0
        self._is_over = asyncio.Event()

    @property
    def until(self) -> float:
        """Until when nobody else can lead, by `time.monotonic()`; 0 without the lead."""
        return self._until if self.revision else 0.0

    def check(self) -> int:
        """The revision of the lead, as far as this server knows that it has it.

        Raises:
            DeposedError: it has not.
        """
        if self.revision and time.monotonic() >= self._until:
            self.give_up()
        if not (self.is_ready and self.revision):
            raise DeposedError("this server does not lead: nothing was written")
        return self.revision

    async def attempt(self, candidate: Leader, old_lease: int = 0) -> None:
        """Try to take the lead, and hold it until it is lost; end an older one of its own first.

        Raises:
            FairleadError: etcd does not answer, or is full.
        """
        if old_lease:
            await self._client.lease_revoke(old_lease)
        sent = time.monotonic()
        lease = await self._client.lease_grant(LEASE_S)
        try:
            if not self.is_followed:
                return
            self._is_over.clear()
            self.lease, self._until = lease.ID, sent + lease.TTL - _MARGIN_S
            key = self._layout.leader
            answer = await self._client.txn(
                [compare(key, "create_revision", 0)], [put(key, write(candidate), lease.ID)]
            )
            if answer.succeeded:
                # Not if it was given up meanwhile.
                self.won(answer.header.revision, lease.ID)
                await self._hold(lease.ID)
        finally:
            self.give_up()
            # What is not revoked ends by itself, a little later.
            with contextlib.suppress(FairleadError):
                await self._client.lease_revoke(lease.ID, timeout=_LAST_WORDS_S)

    def won(self, revision: int, lease: int) -> None:
        """The leader key is there, under this lease: by its own answer, or as the watch shows."""
        if lease == self.lease:
            self.revision = revision

    def give_up(self, revision: int = 0) -> None:
        """Lead no more, from this moment on; the key goes with the lease.

        With a `revision`, only if the lead is still that one.
        """
        if revision and revision != self.revision:
            return
        self._is_over.set()
        was, self.revision, self.lease, self.is_ready = self.revision, 0, 0, False
        if was:
            self._lost()

    async def _hold(self, lease: int) -> None:
        """Keep the lease alive, a third of its time after each other, until it is lost."""
        stream = self._client.lease_stream(lease)
        is_late = False
        try:
            while self.revision:
                sent = time.monotonic()
                left = self._until - sent
                if left <= 0:
                    log.warning("the lead is given up: etcd did not answer in time")
                    return
                try:
                    ttl = await stream.renew(min(left, LEASE_S / 3))
                except LeaseLostError:
                    log.warning("the lead is lost: its lease is over")
                    return
                except FairleadError as error:
                    if not is_late:
                        log.warning("keeping the lead: %s", error)
                    is_late = True
                    await self._pause(min(_PAUSE_S, self._until - time.monotonic()))
                    continue
                is_late = False
                self._until = sent + ttl - _MARGIN_S
                await self._pause(sent + ttl / 3 - time.monotonic())
        finally:
            stream.close()

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not longer than the lead lasts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_over.wait()


class Campaign:
    """Takes the lead whenever nobody has it, from `start` to `stop`."""

    def __init__(self, lead: Lead) -> None:
        self._lead = lead
        self._task: asyncio.Task[None] | None = None
        self.candidate: Leader | None = None
        self.me: Leader | None = None
        """The last candidate, also when it stands no more."""
        self._old_lease = 0
        self.vacant = asyncio.Event()
        """Set by who sees that nobody leads."""

    def start(self, candidate: Leader) -> None:
        self.candidate = self.me = candidate
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="etcd-campaign")

    async def stop(self) -> None:
        self.candidate = None
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def end(self, lease: int) -> None:
        """End a lease of this server's that is no lead any more, as soon as that can be done."""
        self._old_lease = lease
        self.vacant.set()

    async def _run(self) -> None:
        said = ""
        while self.candidate is not None:
            await self.vacant.wait()
            # Before the attempt: what is seen during it counts.
            self.vacant.clear()
            old, self._old_lease = self._old_lease, 0
            try:
                await self._lead.attempt(self.candidate, old)
                said = ""
            except FairleadError as error:
                self._old_lease = self._old_lease or old
                if said != str(error):
                    said = str(error)
                    log.warning("cannot take the lead: %s", error)
                await asyncio.sleep(_RETRY_S)
                self.vacant.set()

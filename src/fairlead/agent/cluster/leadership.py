"""The way to the server that leads: for writes that came here, and for reads that must be current.

A server that follows keeps a link to the one that leads, as a client agent does to
any. A read asks it, together with all others of the same moment, which index it
must have seen; then it is served from the memory here.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.addresses import JoinError
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.identity import Identity
from fairlead.agent.cluster.link import HOLD_S, Link
from fairlead.clock import Clock
from fairlead.engines import Leader
from fairlead.errors import DeposedError, FairleadError, UnavailableError
from fairlead.following import Following
from fairlead.store import NO_LEADER, Store

__all__ = ["LeaderLink", "Leadership"]

log = logging.getLogger("agent.server")

_LONGEST_PAUSE_S = 0.5
_TICK_S = 0.05
_SEEN_S = 1.0


class LeaderLink(Link):
    """A link to whoever leads, and to nobody else."""

    def __init__(self, identity: Identity, clock: Clock, key: bytes, following: Following) -> None:
        super().__init__(identity, clock, key)
        self._following = following
        self._leader: Leader | None = None
        self._aimed = asyncio.Event()
        following.hears_leader = lambda: self.is_up
        self._handlers[frames.Applied] = lambda frame: following.leader_has(frame.index)

    def tell(self, index: Callable[[], int]) -> None:
        """With every beat, how far the memory here is."""
        self._heart.index = index

    def aim(self, leader: Leader | None) -> None:
        """Link to that server from now on; None for none."""
        if leader == self._leader:
            return
        self._leader = leader
        self._aimed.set()
        if self._channel is not None:
            self._channel.abort("another server leads")
        self._hold_no_more()

    def closed(self, channel: Channel, reason: str) -> None:
        super().closed(channel, reason)
        self._following.leader_lost()
        self._hold_no_more()

    def _hold_no_more(self) -> None:
        """What was not sent yet has another way to go, if it is this server that leads."""
        if self._leader is None and self._holding is not None:
            self._holding.cancel()
            self._give_up()

    def _candidates(self) -> list[str]:
        return [self._leader.address] if self._leader is not None else []

    async def join(self, address: str) -> None:
        """As `Link.join`. Where nobody listens, the leader is dead, and is deposed."""
        leader = self._leader
        try:
            await super().join(address)
        except JoinError as error:
            if error.is_refused and leader is not None and leader.address == address:
                log.warning("the leader is dead: node=%s address=%s", leader.node, address)
                with contextlib.suppress(FairleadError):
                    await self._following.engine.depose(leader)
            raise

    async def _pause(self, seconds: float) -> None:
        """Less than a client agent's, and ended by a new leader."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _LONGEST_PAUSE_S)):
                await self._aimed.wait()
        self._aimed.clear()


class Leadership:
    """Of one server among several."""

    def __init__(self, store: Store, identity: Identity, clock: Clock, key: bytes) -> None:
        assert store.following is not None, "several servers share an engine"
        self._store = store
        self._following = store.following
        self.link = LeaderLink(identity, clock, key, self._following)
        self.link.heard = self._following.heard
        self.link.tell(lambda: store.state.index)
        self._asking: dict[bool, list[asyncio.Future[None]]] = {False: [], True: []}
        self._tasks: set[asyncio.Task[None]] = set()
        self._news: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keep the link aimed at the leader, for ever."""
        while True:
            self.link.aim(None if self._store.leads else self._following.leader)
            await self._following.role_changed()

    def stop(self) -> None:
        self.link.stop()
        for task in [*self._tasks, *([self._news] if self._news else [])]:
            task.cancel()

    async def ready(self, patience_s: float = HOLD_S) -> bool:
        """Return once there is a leader: whether it is this server. Else the link is up.

        Raises:
            DeposedError: there is none, and has been none for a while.
        """
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    if self._store.may_answer:
                        return True
                    if self.link.is_up:
                        return False
                    await self._anything()
        except TimeoutError as error:
            raise DeposedError(NO_LEADER) from error

    def confirm(self, *, quorum: bool) -> asyncio.Future[None]:
        """Done once the memory here has all that was committed before this call.

        Raises (from the future):
            UnavailableError: nobody leads.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asking = self._asking[quorum]
        asking.append(future)
        if len(asking) == 1:
            self._start(self._confirm(quorum))
        return future

    # ---------------------------------------------------------------- asking

    async def _confirm(self, quorum: bool) -> None:
        """All that came in the same turn of the loop, at once."""
        asking, self._asking[quorum] = self._asking[quorum], []
        fault: FairleadError | None = None
        try:
            async with asyncio.timeout(HOLD_S):
                await self._following.reached(await self._index(quorum))
        except TimeoutError:
            fault = UnavailableError(NO_LEADER)
        except FairleadError as error:
            fault = error
        for future in asking:
            if future.done():
                continue
            if fault is None:
                future.set_result(None)
            else:
                future.set_exception(fault)

    async def _index(self, quorum: bool) -> int:
        while True:
            try:
                if self._store.may_answer:
                    return await self.own_index(quorum=quorum, seen=0)
                if self.link.is_up:
                    seen = self._store.state.index
                    confirm = functools.partial(frames.Confirm, quorum=quorum, seen=seen)
                    answer = await self.link.call(confirm, is_read=True)
                    if isinstance(answer, frames.Result):
                        return int(frames.decode_value(answer.value, int))
            except UnavailableError as error:
                log.debug("a read is not confirmed yet: why=%s", error)
            await self._anything()

    async def own_index(self, *, quorum: bool, seen: int) -> int:
        """The index that a read must have seen, as this server knows when it leads.

        Whoever asks has `seen` that index: it is waited for, so that nobody sees less after.

        Raises:
            UnavailableError: it does not lead, or has not so much.
        """
        if self._store.state.index < seen:
            try:
                async with asyncio.timeout(_SEEN_S):
                    await self._following.reached(seen)
            except TimeoutError as error:
                raise DeposedError(NO_LEADER) from error
        if quorum:
            await self._following.barrier()
        if not self._store.may_answer:
            raise DeposedError(NO_LEADER)
        return self._store.state.index

    async def _anything(self) -> None:
        """Return when the role or the link may have changed; soon in any case."""
        if self._news is None or self._news.done():
            self._news = asyncio.create_task(self._next_news())
        await asyncio.shield(self._news)

    async def _next_news(self) -> None:
        """One for all that wait: a lease that comes back tells nobody."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                if self.link.is_up:
                    await self._following.role_changed()
                else:
                    await self.link.wait_up()

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

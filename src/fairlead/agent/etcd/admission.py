"""What a server whose etcd runs says to one that looks for a cluster: who is taken in, and how.

A fresh server becomes a member without a vote, and votes once it has caught up.
One that comes with an empty disk in the place of a lost one, by its name or its
address, replaces it: the lost one is removed first. Every server can do this,
for etcd itself puts changes of its members in order, and refuses those that
would leave it without a majority.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import structs

from fairlead.agent.cluster import frames
from fairlead.agent.etcd.peers import GATHERING, JOINING, Peer, Plan, View, member_name, mismatch
from fairlead.agent.etcd.progress import Progress
from fairlead.agent.etcd.questions import heard, said
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import RefusedError
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["Admission", "RefusedAdmissionError", "explained", "is_reachable", "node_name"]

log = logging.getLogger("agent.etcd")

_KNOCK_S = 2.0


class RefusedAdmissionError(UnavailableError):
    """It cannot be taken in now; the text says what has to happen first."""


class Admission:
    """One server's. `view` is what it says of itself, with the plan of its cluster."""

    def __init__(self, client: Client, view: View, key: bytes) -> None:
        self._client = client
        self._key = key
        self._view = view
        self._seq = 0
        # Asked to remove a member that is lost when etcd takes in nobody because of it.
        self.make_room: Callable[[], Awaitable[bool]] = _no_room
        self._progress = Progress()
        # Two at a time would be in each other's way; across servers etcd refuses the second.
        self._turn = asyncio.Lock()

    async def admit(self, frame: frames.Gather, nonce: bytes) -> frames.Gathered:
        """The answer to a server that was challenged with `nonce`.

        Raises:
            DeniedError: it does not know the secret, or speaks another version.
            BrokenFrameError: nobody could read it.
        """
        answer = await self.answer(heard(frame, nonce, self._key))
        return said(frame, nonce, self._key, answer)

    async def answer(self, other: View) -> View:
        """What to say to a server that says this; one that `wants_in` may be in after it."""
        why = mismatch(self._view, other)
        if why:
            self._progress.error(f"{other.peer.name} cannot join: {why}")
            return self._said(why)
        if not other.wants_in:
            return self._said()
        try:
            async with self._turn:
                return await self._admit(other)
        except FairleadError as error:
            self._progress.info(f"{other.peer.name} is not taken in yet: {error}")
            return self._said(str(error))

    def _said(self, note: str = "", plan: Plan | None = None, *, is_in: bool = False) -> View:
        self._seq += 1
        own = self._view
        return structs.replace(own, seq=self._seq, plan=plan or own.plan, note=note, is_in=is_in)

    async def _admit(self, other: View) -> View:
        members = await self._client.member_list()
        own = _find(members, lambda member: other.peer.url in member.peerURLs)
        name = member_name(other.peer.name)
        twin = _find(members, lambda member: member.name == name)
        if other.stage == JOINING:
            return await self._promote(other, own)
        if other.stage != GATHERING:
            return self._said(f"{other.peer.name} is about to form a cluster of its own")
        if twin is not None and (own is None or own.ID != twin.ID):
            await self._check_gone(twin, other)
            await self._remove(twin, other)
            twin = None
        if own is not None and own.name:
            # It has run before; who asks has nothing of it any more, unless it has a wrong address.
            await self._check_gone(own, other)
            await self._remove(own, other)
            own = None
        if own is None:
            members = await self._add(other)
        else:
            members = await self._client.member_list()
        return self._said(plan=self._plan(members, other.peer))

    async def _check_gone(self, member: Any, other: View) -> None:
        for url in member.peerURLs:
            if await is_reachable(url):
                raise RefusedAdmissionError(
                    f'the place of "{other.peer.name}" is taken by a server that lives: '
                    f'"{node_name(member)}" at {url}'
                )

    async def _remove(self, member: Any, other: View) -> None:
        urls = ",".join(member.peerURLs)
        log.warning("a lost server is replaced: node=%s lost=%s", other.peer.name, urls)
        try:
            await self._client.member_remove(member.ID)
        except FairleadError as error:
            raise explained(error) from error

    async def _add(self, other: View) -> list[Any]:
        try:
            answer = await self._added(other)
        except FairleadError as error:
            raise explained(error) from error
        log.info("a server is taken in: node=%s url=%s", other.peer.name, other.peer.url)
        return list(answer.members)

    async def _added(self, other: View) -> Any:
        try:
            return await self._client.member_add([other.peer.url], learner=True)
        except FairleadError as error:
            if _UNHEALTHY not in str(error) or not await self.make_room():
                raise
        return await self._client.member_add([other.peer.url], learner=True)

    async def _promote(self, other: View, own: Any) -> View:
        """The other runs its etcd by our plan: give it a vote as soon as it has caught up."""
        if own is None:
            return self._said("it was removed from the cluster: empty its data directory")
        if own.isLearner:
            try:
                await self._client.member_promote(own.ID)
            except RefusedError:
                return self._said("it has not caught up yet")
            log.info("a server has caught up and votes: node=%s", other.peer.name)
        return self._said(is_in=True)

    def _plan(self, members: list[Any], newcomer: Peer) -> Plan:
        """The cluster as it is, with the newcomer, whose name etcd does not know yet."""
        plan = self._view.plan
        assert plan is not None, "a server that runs has one"
        found = []
        for member in members:
            url = member.peerURLs[0]
            known = next((peer for peer in plan.members if peer.url == url), None)
            if url == newcomer.url:
                found.append(newcomer)
            else:
                # etcd wants to be told of all, also of one that has not run yet.
                name = node_name(member) or f"{member.ID:x}"
                found.append(Peer("", name, known.address if known else "", url))
        return Plan(plan.id, plan.proposer, found)


def node_name(member: Any) -> str:
    """The node whose etcd member it is, in lower case; empty until it has run."""
    return unquote(member.name)


async def is_reachable(url: str) -> bool:
    """Whether somebody listens there."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _no_room() -> bool:
    return False


_UNHEALTHY = "unhealthy cluster"
_REASONS = {
    "too many learner": "another server is joining; if it is lost, remove it with "
    "`fairlead operator raft remove-peer`",
    _UNHEALTHY: "all of its members have to be connected to each other, and for a few seconds, "
    "before another one can be added; remove one that is lost with "
    "`fairlead operator raft remove-peer`",
    "not enough started members": "without that member there would be no majority",
}


def explained(error: FairleadError) -> FairleadError:
    """Why etcd will not change its members, in words that say what to do."""
    for saying, reason in _REASONS.items():
        if saying in str(error):
            return RefusedAdmissionError(reason)
    return error


def _find(members: list[Any], fits: Callable[[Any], bool]) -> Any:
    return next((member for member in members if fits(member)), None)

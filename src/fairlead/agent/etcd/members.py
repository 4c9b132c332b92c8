"""The members of the cluster as its etcd sees them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from msgspec import Struct

from fairlead.agent.etcd.admission import explained, is_reachable, node_name
from fairlead.engines.etcd.client import Client
from fairlead.errors import FairleadError, NotFoundError, UnavailableError

__all__ = ["Member", "Members"]

_REMOVE_S = 8.0
_RETRY_S = 0.5


class Member(Struct, frozen=True):
    """One etcd member; `id` is hexadecimal as etcdctl's, `node` in lower case, `""` of one that
    has not run yet. `is_leader` is about etcd's own leader.
    """

    id: str
    node: str
    url: str
    is_voter: bool
    is_leader: bool
    is_reachable: bool | None = None


class Members:
    """Asked and changed through this server's own member."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def all(self) -> list[Member]:
        """By node.

        Raises:
            UnavailableError: this server's etcd does not answer.
        """
        found, status = await asyncio.gather(self._client.member_list(), self._client.status())
        members = [_member(member, status.leader) for member in found]
        return sorted(members, key=lambda member: (member.node, member.id))

    async def health(self) -> list[Member]:
        """The same, each asked whether it is there; takes as long as the slowest, 2 s at most."""
        members = await self.all()
        reachable = await asyncio.gather(*(is_reachable(member.url) for member in members))
        return [
            Member(m.id, m.node, m.url, m.is_voter, m.is_leader, there)
            for m, there in zip(members, reachable, strict=True)
        ]

    async def remove(self, member_id: str) -> None:
        """Remove a member for good. Its server stops, should it live; it may come back empty.

        It is tried for a while: when a member is lost, etcd may first have to find another
        leader, and takes no change until the others have been connected for some seconds.

        Raises:
            NotFoundError: there is none of that id.
            UnavailableError: etcd refuses, as it would lose its majority; or does not answer.
        """
        if member_id not in {member.id for member in await self.all()}:
            raise NotFoundError(f'there is no etcd member "{member_id}"')
        give_up_at = time.monotonic() + _REMOVE_S
        while True:
            try:
                await self._client.member_remove(int(member_id, 16))
                return
            except FairleadError as error:
                if "not enough started members" in str(error) or time.monotonic() > give_up_at:
                    raise explained(error) from error
            await asyncio.sleep(_RETRY_S)
            with contextlib.suppress(UnavailableError):
                # One whose answer was lost may have been made.
                if member_id not in {member.id for member in await self.all()}:
                    return


def _member(member: Any, leader: int) -> Member:
    url = member.peerURLs[0] if member.peerURLs else ""
    is_voter = not member.isLearner
    return Member(f"{member.ID:x}", node_name(member), url, is_voter, leader == member.ID)

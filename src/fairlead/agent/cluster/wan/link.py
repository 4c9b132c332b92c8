"""A server's link to a server of another datacenter, found again whenever it breaks.

It is the link of a client (`agent/cluster/link.py`) but for whom it seeks: any
server of that datacenter that did not leave, those that live first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.addresses import JoinError
from fairlead.agent.cluster.calls import Call
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.identity import Identity
from fairlead.agent.cluster.link import HOLD_S, Link
from fairlead.clock import Clock
from fairlead.core.rows import MemberRow, Position
from fairlead.core.vivaldi import Vivaldi
from fairlead.core.wan import datacenter_of
from fairlead.errors import UnavailableError

__all__ = ["NO_PATH", "Owner", "WanLink"]

log = logging.getLogger("agent.wan")

NO_PATH = "No path to datacenter"


class Owner(Protocol):
    """What a link needs of the server it belongs to."""

    vivaldi: Vivaldi

    def addresses(self, datacenter: str) -> list[str]:
        """Where its servers are, the best first."""

    def roster(self) -> frames.Roster:
        """Every server known."""

    def told(self, datacenter: str, members: list[MemberRow]) -> None:
        """A server of that datacenter says whom it knows."""

    def stands(self, name: str, position: Position) -> None:
        """A server stands there."""


class WanLink(Link):
    """The one link to `datacenter`."""

    def __init__(
        self,
        owner: Owner,
        datacenter: str,
        identity: Identity,
        clock: Clock,
        key: bytes,
        default_port: int,
    ) -> None:
        super().__init__(identity, clock, key, default_port)
        self.datacenter = datacenter
        self.peer = ""
        self._owner = owner
        self._heart.vivaldi = owner.vivaldi
        self._sent: frames.Roster | None = None
        # since when no server of that datacenter can be reached, while none can
        self.down_ns = clock.monotonic_ns()
        # What is asked before the first link is there waits for it, as after one broke.
        loop = asyncio.get_running_loop()
        self._holding = loop.call_later(HOLD_S, self._give_up)
        handlers: dict[type, Callable[[Any], None]] = {frames.Roster: self._hear_roster}
        self._handlers.update(handlers)

    @property
    def can_ask(self) -> bool:
        """Whether a question is asked now, or soon."""
        return self.is_up or self._holding is not None

    async def try_now(self) -> bool:
        """Whether it is up, after one round of tries."""
        return self.is_up or await self._try_all()

    async def _try_all(self) -> bool:
        for address in self._owner.addresses(self.datacenter):
            try:
                await self.join(address)
            except JoinError as error:
                log.warning("no path: datacenter=%s why=%s", self.datacenter, error)
            else:
                return True
        return False

    def tell(self) -> None:
        """Say whom this server knows, if that is news."""
        roster = self._owner.roster()
        if self._channel is not None and self.is_up and roster != self._sent:
            self._sent = roster
            self._channel.send(roster)

    # ---------------------------------------------------------------- the channel

    def closed(self, channel: Channel, reason: str) -> None:
        if channel is self._channel and self.is_up:
            self.down_ns = self.clock.monotonic_ns()
        super().closed(channel, reason)

    def _hear_hello(self, hello: frames.Hello) -> None:
        datacenter = datacenter_of(hello.name)
        if datacenter != self.datacenter:
            self._fail_entering(f'it is "{hello.name}", of no datacenter "{self.datacenter}"')
            return
        self.peer = hello.name
        super()._hear_hello(hello)

    def _hear_welcome(self, welcome: frames.Welcome) -> None:
        super()._hear_welcome(welcome)
        self._sent = None
        self.tell()

    def _hear_pulse(self, pulse: frames.Pulse) -> None:
        super()._hear_pulse(pulse)
        self._owner.stands(self.peer, pulse.position)

    def _hear_roster(self, roster: frames.Roster) -> None:
        self._owner.told(self.datacenter, roster.members)

    # ---------------------------------------------------------------- without a link

    def _begin(self, call: Call) -> None:
        if self.can_ask:
            super()._begin(call)
        else:
            call.reply(UnavailableError(NO_PATH))

    def _give_up(self) -> None:
        self._holding = None
        self._calls.give_up(UnavailableError(NO_PATH))

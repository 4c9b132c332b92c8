"""The registry of a server among several: it decides when it leads, else the leader is asked."""

from __future__ import annotations

from typing import Any

from fairlead.agent.cluster.leadership import Leadership
from fairlead.agent.cluster.link_registry import LinkRegistry
from fairlead.agent.registry import NodeContents, StoreRegistry
from fairlead.core.commands import Command
from fairlead.errors import UnavailableError
from fairlead.store import NO_LEADER, Store

__all__ = ["ServerRegistry"]


class ServerRegistry(StoreRegistry):
    """It reads what is here, and writes where that is decided."""

    def __init__(self, store: Store, leadership: Leadership) -> None:
        super().__init__(store)
        self._leadership = leadership
        self._leader = LinkRegistry(leadership.link)

    async def contents(self, node: str) -> NodeContents:
        if not self._store.is_open:
            raise UnavailableError(NO_LEADER)
        return await super().contents(node)

    async def submit(self, command: Command) -> Any:
        """As `Registry.submit`; without a leader it waits a while for one."""
        if await self._leadership.ready():
            return await super().submit(command)
        return await self._leader.submit(command)

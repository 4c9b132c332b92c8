"""The registry of a server among several: it decides when it leads, else the leader is asked."""

from __future__ import annotations

from typing import Any

from fairlead.agent.cluster.link import Link
from fairlead.agent.cluster.link_registry import LinkRegistry
from fairlead.agent.registry import StoreRegistry
from fairlead.core.commands import Command
from fairlead.store import Store

__all__ = ["ServerRegistry"]


class ServerRegistry(StoreRegistry):
    """It reads what is here, and writes where that is decided."""

    def __init__(self, store: Store, link: Link) -> None:
        super().__init__(store)
        self._leader = LinkRegistry(link)

    async def submit(self, command: Command) -> Any:
        """As `Registry.submit`."""
        if self._store.leads:
            return await super().submit(command)
        return await self._leader.submit(command)

"""The registry as an agent reaches it: its own store on a server, a link to one elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from msgspec import Struct

from fairlead.core.commands import Command
from fairlead.core.directory import find_node
from fairlead.core.keys import node_key, node_prefix
from fairlead.core.reads import Watch
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.store import Store

__all__ = ["NodeContents", "Registry", "StoreRegistry"]


class NodeContents(Struct, frozen=True):
    """What the catalog holds of one node; `node` is None when it holds nothing."""

    node: NodeRow | None
    services: list[Service]
    checks: list[CheckRow]


class Registry(Protocol):
    """What the agent's own loops need of the cluster's state."""

    async def submit(self, command: Command) -> Any:
        """The answer, once what the command changes is durable.

        Raises:
            FairleadError: it was refused.
            UnavailableError: nobody can be reached, or the outcome is unknown.
        """

    async def contents(self, node: str) -> NodeContents:
        """What the catalog holds of a node now."""

    def changed(self, node: str) -> asyncio.Future[None]:
        """Done when that may be something else; cancel it to wait no more."""


class StoreRegistry:
    """The registry of a server."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def submit(self, command: Command) -> Any:
        return await self._store.submit(command)

    async def contents(self, node: str) -> NodeContents:
        state = self._store.state
        prefix = node_prefix(node)
        services = [row.service for row in state.services.scan(prefix)]
        return NodeContents(find_node(state, node), services, state.checks.scan(prefix))

    def changed(self, node: str) -> asyncio.Future[None]:
        prefix = node_prefix(node)
        watches = (
            Watch("nodes", node_key(node), False),
            Watch("services", prefix),
            Watch("checks", prefix),
        )
        return self._store.changed(watches)

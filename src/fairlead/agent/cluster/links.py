"""The server's end: listening for agents on other nodes, and serving each over its link.

Rule: what a frame asks for is done elsewhere (the HTTP edge, the store,
`membership.py`); here are only who may speak, and whose answer is whose.
"""

from __future__ import annotations

import asyncio
import logging
import os

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.contracts import Admit, Edge, Members, Names
from fairlead.agent.cluster.frames import VERSION as FRAMES_VERSION
from fairlead.agent.cluster.frames import Hello
from fairlead.agent.cluster.identity import is_server, server_address
from fairlead.agent.cluster.leadership import Leadership
from fairlead.agent.cluster.membership import Membership
from fairlead.agent.cluster.positions import Positions
from fairlead.agent.cluster.relayed import RelayedMembership
from fairlead.agent.cluster.served import ServedLink
from fairlead.agent.cluster.server_registry import ServerRegistry
from fairlead.agent.cluster.standings import Standings
from fairlead.agent.registry import Registry, StoreRegistry
from fairlead.clock import Clock
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE
from fairlead.core.rows import NodeRow
from fairlead.errors import SettingsError
from fairlead.store import Store

__all__ = ["Links"]

log = logging.getLogger("agent.cluster")

_BACKLOG = 4096


class Links:
    """Every agent that is linked to this server."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        node: NodeRow,
        key: bytes,
        reconnect_timeout_ns: int,
        leadership: Leadership | None = None,
    ) -> None:
        self.store = store
        self.registry: Registry = StoreRegistry(store)
        self.leadership = leadership
        if leadership is not None:
            self.registry = ServerRegistry(store, leadership)
        self.clock = clock
        self.node = node
        self.key = key
        self.membership = Membership(store, clock, node.node, reconnect_timeout_ns)
        self.relayed: RelayedMembership | None = None
        if leadership is not None:
            self.relayed = RelayedMembership(store, leadership, self.membership)
            store.applied = self._tell_applied
        self.positions = Positions(store, self.registry, clock, node.node)
        self.standings = Standings(clock)
        self.edge: Edge | None = None
        self.names: Names | None = None
        # What a server that looks for a cluster is answered, on one of several servers.
        self.admit: Admit | None = None
        self.own_address: list[str] = []
        self._servers: tuple[int, list[str]] = (-1, [])
        self.by_name: dict[str, ServedLink] = {}
        self._open: set[ServedLink] = set()
        self._followers: set[ServedLink] = set()
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def members(self) -> Members:
        """Who keeps the members: this server, or the one that leads."""
        return self.membership if self.relayed is None or self.store.leads else self.relayed

    @property
    def servers(self) -> list[str]:
        """Where agents may link to: this server, then the others that live."""
        table = self.store.state.members
        if self._servers[0] != table.index:
            rows = table.rows.values()
            others = [server_address(row) for row in rows if is_server(row) and row.status == ALIVE]
            self._servers = (table.index, list(dict.fromkeys([*self.own_address, *others])))
        return self._servers[1]

    # ---------------------------------------------------------------- listening

    async def listen(self, host: str, ports: dict[str, int]) -> None:
        """Take agents in on these ports, which are named by their configuration keys.

        Raises:
            SettingsError: a port cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        for key, port in ports.items():
            if port <= 0:
                continue
            try:
                listener = await loop.create_server(self._accept, host, port, backlog=_BACKLOG)
            except OSError as error:
                text = os.strerror(error.errno) if error.errno else str(error)
                raise SettingsError(
                    f"cannot listen on {host}:{port}: {text[:1].lower()}{text[1:]}",
                    hint=f"is another agent running? Choose another port with {key}",
                ) from error
            self._listeners.append(listener)

    async def stop(self) -> None:
        """Listen no more, end every link; the agents look for another server, or for this one."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for link in list(self._open):
            link.shut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    def _accept(self) -> Channel:
        return Channel(ServedLink(self))

    # ---------------------------------------------------------------- called by links

    def hello(self, nonce: bytes) -> Hello:
        return Hello(FRAMES_VERSION, self.node.node, nonce)

    def opened(self, link: ServedLink) -> None:
        self._open.add(link)

    def conflict(self, node: NodeRow) -> str:
        """Why nobody of this name and id may come in now; empty when it may."""
        key = node_key(node.node)
        other = self.by_name.get(key)
        holder = self.node if key == node_key(self.node.node) else other and other.node
        if holder and holder.id.lower() != node.id.lower():
            return (
                f'the name "{node.node}" is taken by an agent that lives: node id {holder.id}, '
                f"address {holder.address}"
            )
        if holder is self.node:
            return "an agent cannot link to itself"
        for twin in self.store.state.nodes.groups.get(node.id.lower(), ()):
            if twin != key and (twin in self.by_name or twin == node_key(self.node.node)):
                # As on a machine that was cloned: the catalog would rename one to the other.
                return (
                    f"Member '{node.node}' has conflicting node ID '{node.id}' with member "
                    f"'{self.store.state.nodes.rows[twin].node}'"
                )
        return ""

    def entered(self, link: ServedLink) -> None:
        """A link speaks for its node now; an older one of the same node is dead."""
        key = node_key(link.node.node)
        old, self.by_name[key] = self.by_name.get(key), link
        if old is not None and old is not link:
            old.replaced()

    def follows(self, link: ServedLink) -> None:
        """A server is at the other end: it hears how far this one is."""
        self._followers.add(link)
        link.send(frames.Applied(self.store.state.index))

    def _tell_applied(self, index: int) -> None:
        """Let the servers that follow know how far this one is."""
        frame = frames.Applied(index)
        for link in self._followers:
            link.send(frame)

    def closed(self, link: ServedLink) -> None:
        self._open.discard(link)
        self._followers.discard(link)
        if link.is_in:
            key = node_key(link.node.node)
            if self.by_name.get(key) is link:
                del self.by_name[key]
                self.standings.left(key)
                self.members.broke(key)

    def start(self, task: asyncio.Task[None]) -> None:
        """Keep a link's task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            log.error("what an agent asked for failed", exc_info=fault)

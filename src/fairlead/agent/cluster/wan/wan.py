"""A server among those of all datacenters: whom it knows, how each is, the way to each.

Knowing is mutual and kept: whoever links itself is noted in the state, before
it is let in, and linked to in turn. Rosters then go both ways, so that all
servers of all datacenters come to know one another.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import structs

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.addresses import JoinError, greet, split_address
from fairlead.agent.cluster.identity import wan_identity, wan_port
from fairlead.agent.cluster.wan import roster
from fairlead.agent.cluster.wan.link import NO_PATH, WanLink
from fairlead.agent.cluster.wan.served import WanLinks
from fairlead.agent.tasks import Tasks
from fairlead.clock import Clock
from fairlead.core.commands import Command, WanRemove, WanSet
from fairlead.core.coordinates import distance_s
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.reads import Watch
from fairlead.core.rows import CoordinateRow, MemberRow, NodeRow, Position
from fairlead.core.vivaldi import Vivaldi, is_valid
from fairlead.core.wan import datacenter_of, known_datacenters, servers_of
from fairlead.durations import SECOND_NS
from fairlead.errors import FairleadError, UnavailableError
from fairlead.settings.settings import Settings
from fairlead.store import Store

__all__ = ["GRACE_S", "Wan"]

log = logging.getLogger("agent.wan")

GRACE_S = 5.0
"""A datacenter of which no server can be reached for so long has failed."""
_TICK_S = 0.5
_KNOWN_S = 3.0
# As for members of this datacenter: one that left is remembered for a day.
_LEFT_NS = 24 * 3600 * SECOND_NS
_FAR = float("inf")

Submit = Callable[[Command], Awaitable[Any]]


class Wan:
    """What a server knows of other datacenters, and its links to them."""

    def __init__(
        self, settings: Settings, node: NodeRow, store: Store, clock: Clock, key: bytes
    ) -> None:
        self._settings = settings
        self._node = node
        self._store = store
        self._clock = clock
        self._key = key
        self.submit: Submit = store.submit
        # Only one server of a datacenter says which of others have failed.
        self.leads: Callable[[], bool] = lambda: True
        self.vivaldi = Vivaldi()
        self.positions: dict[str, Position] = {}
        self.links = WanLinks(self, store, clock, node, key)
        self._paths: dict[str, WanLink] = {}
        self._told: dict[str, list[MemberRow]] = {}
        self._gone: dict[str, int] = {}
        self._tasks = Tasks()
        self._writing: set[asyncio.Task[None]] = set()

    @property
    def is_on(self) -> bool:
        """Whether this server has a port for those of other datacenters."""
        return self._settings.ports_serf_wan > 0

    # ---------------------------------------------------------------- life

    async def start(self) -> None:
        """Take servers of other datacenters in, and seek those known from before.

        Raises:
            SettingsError: the port cannot be listened on.
        """
        if not self.is_on:
            return
        port = self._settings.ports_serf_wan
        await self.links.listen(self._settings.bind_addr, {"ports.serf_wan": port})
        for datacenter in known_datacenters(self._store.state):
            self._path_to(datacenter)
        self._tasks.start("wan", self._run)

    def own_addresses(self) -> list[str]:
        """Where the servers of this datacenter take others in."""
        own = roster.own_servers(self._store.state, self._settings, self._node)
        return [roster.address_of(row) for row in own]

    async def stop(self) -> None:
        await self._tasks.stop()
        for path in self._paths.values():
            path.stop()
        for task in list(self._writing):
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)
        await self.links.stop()

    async def leave(self) -> None:
        """Tell every datacenter that this server goes for good; never fails."""
        await asyncio.gather(*(path.leave() for path in self._paths.values()))

    async def join(self, address: str) -> None:
        """Know the datacenter of the server there, and be known. One's own is well too.

        Raises:
            FairleadError: this server has no port for others.
            JoinError: it cannot be reached, or refuses.
        """
        if not self.is_on:
            raise FairleadError("WAN Federation is disabled")
        host, port = split_address(address, wan_port(self._settings))
        hello = await greet(host, port)
        datacenter = datacenter_of(hello.name)
        if datacenter == self._settings.datacenter:
            self._check_own(hello.name)
            return
        if not datacenter:
            raise JoinError(
                f"Failed to join {host}: {host}:{port} is not for other datacenters "
                "(ports.serf_wan is)"
            )
        path = self._path_to(datacenter)
        await path.join(address)
        await self._until_known(datacenter)

    def _check_own(self, name: str) -> None:
        """Raises: JoinError, it only says that it is of this datacenter."""
        own = roster.own_servers(self._store.state, self._settings, self._node)
        if node_key(name) not in {node_key(row.name) for row in own}:
            raise JoinError(
                f'Failed to join: "{name}" is a server of another datacenter of that name; '
                "each needs a name of its own (-datacenter)"
            )

    async def _until_known(self, datacenter: str) -> None:
        """Its servers are told right after the link is up; a caller wants to see them."""
        try:
            async with asyncio.timeout(_KNOWN_S):
                while datacenter not in known_datacenters(self._store.state):
                    await self._store.changed((Watch("wan_servers"),))
        except TimeoutError as error:
            raise JoinError(f'Failed to join: datacenter "{datacenter}" says nothing') from error

    # ---------------------------------------------------------------- what is known

    def members(self) -> list[MemberRow]:
        """Every server of every datacenter, by name."""
        return roster.everybody(self._store.state, self._settings, self._node)

    def datacenters(self) -> list[str]:
        """All of them: this one, then from the nearest on, by name where nothing is known."""
        own = self._settings.datacenter
        others = sorted(known_datacenters(self._store.state) - {own})
        return [own, *sorted(others, key=self._distance_s)]

    def _distance_s(self, datacenter: str) -> float:
        own = self.vivaldi.position
        rows = servers_of(self._store.state, datacenter)
        known = [self.positions.get(node_key(row.name)) for row in rows]
        distances = sorted(distance_s(own, position) for position in known if position is not None)
        return distances[len(distances) // 2] if distances else _FAR

    def coordinates(self) -> dict[str, list[CoordinateRow]]:
        """Where the servers of each datacenter stand, as far as is known."""
        found: dict[str, list[CoordinateRow]] = {name: [] for name in self.datacenters()}
        own = f"{self._node.node}.{self._settings.datacenter}"
        for row in self.members():
            node, _, datacenter = row.name.rpartition(".")
            is_own = node_key(row.name) == node_key(own)
            position = self.vivaldi.position if is_own else self.positions.get(node_key(row.name))
            if position is not None and datacenter in found:
                found[datacenter].append(CoordinateRow(node, "", position))
        return found

    def path(self, datacenter: str) -> WanLink:
        """The link to ask that datacenter over.

        Raises:
            UnavailableError: none is known by that name.
        """
        path = self._paths.get(datacenter)
        if path is None or datacenter not in known_datacenters(self._store.state):
            raise UnavailableError(NO_PATH)
        return path

    # ---------------------------------------------------------------- called by links

    def addresses(self, datacenter: str) -> list[str]:
        rows = [row for row in servers_of(self._store.state, datacenter) if row.status != LEFT]
        self._clock.shuffle(rows)
        rows.sort(key=lambda row: row.status != ALIVE)
        return [roster.address_of(row) for row in rows]

    def roster(self) -> frames.Roster:
        return frames.Roster(self.members())

    def stands(self, name: str, position: Position) -> None:
        if is_valid(position):
            self.positions[node_key(name)] = position

    def told(self, datacenter: str, members: list[MemberRow]) -> None:
        self._told[datacenter] = members
        self._learn(datacenter)

    async def arrived(self, member: MemberRow) -> None:
        """It is let in whether or not it can be noted: a server without leader still answers."""
        datacenter = datacenter_of(member.name)
        path = self._path_to(datacenter)
        path.down_ns = self._clock.monotonic_ns()
        if self._store.state.wan_servers.rows.get(node_key(member.name)) != member:
            log.info("server joined: name=%s address=%s", member.name, roster.address_of(member))
            await self._write([WanSet(member)])
        self._start(path.try_now())

    async def departed(self, name: str) -> None:
        log.info("server left: name=%s", name)
        self._told.pop(datacenter_of(name), None)
        await self._become_left(name)

    async def force_leave(self, name: str, *, prune: bool) -> bool:
        """Count a server as left, or forget it; whether there is one. One that lives comes back."""
        if node_key(name) not in self._store.state.wan_servers.rows:
            return any(node_key(row.name) == node_key(name) for row in self.members())
        if prune:
            await self.submit(WanRemove(name))
        else:
            await self._become_left(name)
        return True

    async def _become_left(self, name: str) -> None:
        row = self._store.state.wan_servers.rows.get(node_key(name))
        if row is not None:
            await self._write([WanSet(structs.replace(row, status=LEFT))])

    # ---------------------------------------------------------------- the passing of time

    async def _run(self) -> None:
        while True:
            await self.tick()
            await asyncio.sleep(_TICK_S)

    async def tick(self) -> None:
        """Tell the news, seek whom nobody is linked to, note who failed, forget the gone."""
        state = self._store.state
        for datacenter in known_datacenters(state) - {self._settings.datacenter}:
            self._path_to(datacenter)
        self.links.tell()
        commands: list[Command] = []
        now = self._clock.monotonic_ns()
        for datacenter, path in self._paths.items():
            path.tell()
            if not self.leads():
                continue
            if path.is_up:
                commands += self._news_of(datacenter)
            elif now - path.down_ns > GRACE_S * SECOND_NS:
                commands += roster.failures(state, datacenter)
        if self.leads():
            commands += self._reaping(now)
        await self._write(commands)

    def _reaping(self, now: int) -> list[Command]:
        rows = self._store.state.wan_servers.rows
        limits = {FAILED: self._settings.reconnect_timeout_wan, LEFT: _LEFT_NS}
        gone = {key: row for key, row in rows.items() if row.status in limits}
        self._gone = {key: self._gone.get(key, now) for key in gone}
        old = [key for key, row in gone.items() if now - self._gone[key] > limits[row.status]]
        return [WanRemove(gone[key].name) for key in old]

    def _news_of(self, datacenter: str) -> list[Command]:
        told = self._told.get(datacenter)
        if told is None:
            return []
        return roster.learned(self._store.state, self._settings.datacenter, datacenter, told)

    def _learn(self, datacenter: str) -> None:
        commands = self._news_of(datacenter)
        if commands:
            self._start(self._write(commands))

    def _path_to(self, datacenter: str) -> WanLink:
        path = self._paths.get(datacenter)
        if path is None:
            identity = wan_identity(self._settings, self._node)
            port = wan_port(self._settings)
            path = WanLink(self, datacenter, identity, self._clock, self._key, port)
            self._paths[datacenter] = path
            self._tasks.start(f"wan-{datacenter}", path.run)
        return path

    async def _write(self, commands: list[Command]) -> None:
        for command in commands:
            try:
                await self.submit(command)
            except FairleadError as error:
                log.warning("what is known of other datacenters cannot be kept: why=%s", error)
                return

    def _start(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(_done(work))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)


async def _done(work: Awaitable[Any]) -> None:
    await work

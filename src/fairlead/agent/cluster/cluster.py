"""What an agent can do about its cluster, on a server and on a client."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable

import msgspec
from msgspec import structs

from fairlead.agent.cluster import secret
from fairlead.agent.cluster.addresses import JoinError, greet, split_address
from fairlead.agent.cluster.identity import (
    identity,
    is_server,
    own_member,
    server_address,
)
from fairlead.agent.cluster.known import KnownServers
from fairlead.agent.cluster.leadership import Leadership
from fairlead.agent.cluster.link import LONGEST_BACKOFF_S, Link
from fairlead.agent.cluster.link_registry import LinkRegistry
from fairlead.agent.cluster.links import Links
from fairlead.agent.cluster.membership import health
from fairlead.agent.cluster.wan.joining import keep_joining
from fairlead.agent.cluster.wan.replication import Replication
from fairlead.agent.cluster.wan.wan import Wan
from fairlead.agent.registry import Registry
from fairlead.agent.tasks import Tasks
from fairlead.clock import Clock
from fairlead.core.commands import CatalogRegister, Command, MemberSet
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE, FAILED
from fairlead.core.rows import MemberRow, NodeRow, Position
from fairlead.durations import SECOND_NS
from fairlead.engines import Leader
from fairlead.errors import FairleadError, SettingsError, UnavailableError
from fairlead.settings.settings import Settings
from fairlead.store import Store

__all__ = ["ClientCluster", "Cluster", "ServerCluster"]

log = logging.getLogger("agent.cluster")

# For another server to take the lead from one that leaves.
_HAND_OVER_S = 5.0
# A question about the cluster should be answered while it is being cut.
_MEMBERS_S = 2.0


class ServerCluster:
    """The server's: it keeps the state and listens."""

    def __init__(self, settings: Settings, node: NodeRow, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._node = node
        self._store = store
        self._clock = clock
        key = secret.read_key(settings.encrypt)
        self.leadership: Leadership | None = None
        if store.following is not None:
            self.leadership = Leadership(store, identity(settings, node), clock, key)
        self.links = Links(store, clock, node, key, settings.reconnect_timeout, self.leadership)
        self.registry: Registry = self.links.registry
        self.wan = Wan(settings, node, store, clock, key)
        self.wan.leads = lambda: store.leads
        self.wan.submit = self.registry.submit

    @property
    def position(self) -> Position:
        return self.links.positions.own

    @property
    def nodes(self) -> int:
        """How many there are."""
        return len(self._store.state.nodes)

    def start(self, tasks: Tasks, fail: Callable[[str], None]) -> None:
        """Begin; the state is loaded. `fail` ends the agent."""
        self._tasks, self._fail = tasks, fail
        tasks.start("coordinates", self.links.positions.run)
        if self.leadership is not None and self.links.relayed is not None:
            tasks.start("leadership", self.leadership.run)
            tasks.start("leader link", self.leadership.link.run)
            tasks.start("reports", self.links.relayed.run)

    def lead(self, tasks: Tasks) -> None:
        """Watch the members, which is for the server that leads."""
        self.links.membership.load()
        tasks.start("membership", self.links.membership.run)

    async def listen(self) -> None:
        """Raises: SettingsError, for a port, or when none of `start_join` can be joined."""
        settings = self._settings
        ports = [port for port in (settings.ports_server, settings.ports_serf_lan) if port > 0]
        address = settings.advertise_addr
        host = f"[{address}]" if ":" in address else address
        self.links.own_address = [f"{host}:{port}" for port in ports[:1]]
        named = {"ports.server": settings.ports_server, "ports.serf_lan": settings.ports_serf_lan}
        await self.links.listen(settings.bind_addr, named)
        if self._store.following is not None:
            # Only who can be reached may lead.
            own = Leader(self._node.node, self._node.id, server_address(self._own_member()))
            self._store.following.stand(own)
        await self._federate()
        if self._store.following is not None:
            return
        if settings.start_join:
            await _join_one(self.join, settings.start_join)
        for address in settings.retry_join:
            try:
                await self.join(address)
            except JoinError as error:
                log.warning("not joined: %s", error)

    async def _federate(self) -> None:
        """Take part in the pool of all datacenters' servers."""
        wan, settings = self.wan, self._settings
        await wan.start()
        if settings.start_join_wan:
            await _join_one(wan.join, settings.start_join_wan)
        if settings.retry_join_wan:
            join = functools.partial(keep_joining, wan, settings, self._fail)
            self._tasks.start("join-wan", join)
        for entry in settings.kv_replication:
            copy = Replication(wan, self._store, entry["datacenter"], entry["prefix"])
            self._tasks.start(f"kv-replication-{entry['prefix']}", copy.run)

    async def stop(self) -> None:
        await self.wan.stop()
        if self.leadership is not None:
            self.leadership.stop()
        await self.links.stop()

    def _own_member(self) -> MemberRow:
        return own_member(self._settings, self._node)

    def opening(self) -> list[Command]:
        """What is decided first when this server takes the lead: that it lives, if nothing else.

        The leader before may have taken it for dead; now nobody else would say otherwise.
        """
        now_ns = self._clock.now_ns()
        alive = CatalogRegister(self._node, [health(alive=True)], now_ns=now_ns)
        return [alive, MemberSet(self._own_member())]

    async def members(self) -> list[MemberRow]:
        own = self._own_member()
        rows = dict(self._store.state.members.rows)
        rows[node_key(own.name)] = own
        return [rows[key] for key in sorted(rows)]

    async def wan_members(self) -> list[MemberRow]:
        return self.wan.members()

    async def join_wan(self, address: str) -> None:
        """Raises: FairleadError, it cannot be joined."""
        await self.wan.join(address)

    async def join(self, address: str) -> None:
        """A server of this cluster is well, as in files that name every one; others are not."""
        host, port = split_address(address, self._settings.ports_serf_lan)
        hello = await greet(host, port)
        key = node_key(hello.name)
        member = self._store.state.members.rows.get(key)
        known = key == node_key(self._node.node) or (member is not None and is_server(member))
        if known:
            return
        why = "that is a server of another cluster"
        if self.leadership is None:
            why = "this server runs alone, and that is one: start both with -bootstrap-expect"
        raise JoinError(f"Failed to join {host}: {why}")

    async def leave(self) -> None:
        """Never fails. The only server takes its state with it: there is nobody to tell."""
        await self.wan.leave()
        following = self._store.following
        if self.leadership is None or following is None:
            return
        with contextlib.suppress(FairleadError, TimeoutError):
            if self._store.leads:
                await following.engine.stand_down()
            async with asyncio.timeout(_HAND_OVER_S):
                while await self.leadership.ready():
                    await following.role_changed()
        await self.leadership.link.leave()

    async def force_leave(self, name: str, *, prune: bool) -> None:
        if node_key(name) == node_key(self._node.node):
            # It lives, and says so at once.
            return
        is_member = node_key(name) in self._store.state.members.rows
        if not is_member and await self.wan.force_leave(name, prune=prune):
            return
        # The leader's: others forward it (`http/leading.py`).
        await self.links.membership.force_leave(name, prune=prune)


class ClientCluster:
    """A client's: it keeps a link."""

    def __init__(self, settings: Settings, node: NodeRow, clock: Clock) -> None:
        self._settings = settings
        self._node = node
        key = secret.read_key(settings.encrypt)
        port = settings.ports_serf_lan if settings.ports_serf_lan > 0 else 8301
        self.link = Link(identity(settings, node), clock, key, port)
        self.registry: Registry = LinkRegistry(self.link)
        self._known = KnownServers(settings.data_dir)
        self._seen: list[MemberRow] = []

    @property
    def position(self) -> Position:
        return self.link.position

    @property
    def nodes(self) -> int:
        """How many there are, as far as is known."""
        return self.link.nodes

    async def start(self, tasks: Tasks, fail: Callable[[str], None]) -> None:
        """Find a server, or go on looking for one; `fail` ends the agent.

        Raises:
            SettingsError: none of `start_join` can be reached.
        """
        link, settings = self.link, self._settings
        link.servers = self._known.load(after_leave=settings.rejoin_after_leave)
        link.remember = self._known.keep
        if settings.start_join:
            await _join_one(self.link.join, settings.start_join)
        link.joined = list(dict.fromkeys([*settings.start_join, *settings.retry_join]))
        if not link.servers and not link.joined:
            log.warning("no server is known: give -retry-join, or join one with `fairlead join`")
        if settings.retry_join_wan:
            log.warning("retry_join_wan: Must be a server to join WAN cluster")
        patience = _Patience(link, settings, fail)
        first = None if patience.is_for_strangers and link.servers else patience.wait
        tasks.start("link", functools.partial(link.run, first))

    async def members(self) -> list[MemberRow]:
        """As the server says. Without one: those seen last, of whom nothing can be heard now."""
        if self.link.is_up:
            try:
                async with asyncio.timeout(_MEMBERS_S):
                    reply = await self.link.request("GET", b"/v1/agent/members")
                self._seen = list(msgspec.json.decode(reply.body, type=list[_Member]))
                return self._seen
            except TimeoutError:
                log.warning("the server is slow to say who the members are")
                if self.link.is_up and self._seen:
                    return self._seen
            except (UnavailableError, msgspec.MsgspecError) as error:
                log.warning("the members cannot be asked for: why=%s", error)
        own = own_member(self._settings, self._node)
        rows = [_unheard(row) for row in self._seen if node_key(row.name) != node_key(own.name)]
        return sorted([own, *rows], key=lambda row: node_key(row.name))

    async def wan_members(self) -> list[MemberRow] | None:
        """Clients belong to no pool of servers."""
        return None

    async def join_wan(self, address: str) -> None:
        """Raises: FairleadError, always."""
        raise FairleadError("Must be a server to join WAN cluster")

    async def join(self, address: str) -> None:
        if not self.link.is_up:
            await self.link.join(address)
            return
        host, port = split_address(address, self._settings.ports_serf_lan)
        await greet(host, port)

    async def leave(self) -> None:
        """Leave the cluster for good; never fails."""
        await self.link.leave()
        self._known.left()

    async def stop(self) -> None:
        self.link.stop()
        await asyncio.sleep(0)


class _Member(MemberRow, frozen=True, gc=False, rename="pascal"):
    """A member as the API shows it; what it shows besides is ignored."""


def _unheard(row: MemberRow) -> MemberRow:
    return structs.replace(row, status=FAILED) if row.status == ALIVE else row


async def _join_one(join: Callable[[str], Awaitable[None]], addresses: list[str]) -> None:
    """Raises: SettingsError, none of them can be joined."""
    faults = []
    for address in addresses:
        try:
            await join(address)
            return
        except JoinError as error:
            faults.append(str(error))
    raise SettingsError(_listed(faults), hint="-retry-join goes on trying")


def _listed(faults: list[str]) -> str:
    """As Go's multierror."""
    count = f"{len(faults)} error{'s' if len(faults) > 1 else ''} occurred:"
    return "\n".join([count, *(f"\t* {fault}" for fault in faults), "\n"])


Cluster = ServerCluster | ClientCluster


class _Patience:
    """`retry_join`: how long between two tries, and how many."""

    def __init__(self, link: Link, settings: Settings, fail: Callable[[str], None]) -> None:
        self._link = link
        self._interval_s = settings.retry_interval / SECOND_NS
        self._limit = settings.retry_max
        self._fail = fail
        self._tries = 0

    @property
    def is_for_strangers(self) -> bool:
        """Whether a client that knows servers from before need not wait so long: all restart
        together after a power failure, and nobody wants to be without DNS for `retry_interval`.
        """
        return not self._limit and self._interval_s > LONGEST_BACKOFF_S

    async def wait(self) -> None:
        self._tries += 1
        if self._link.joined and self._limit and self._tries >= self._limit:
            self._fail("max join retry exhausted, exiting")
        if self._link.joined:
            log.warning("join failed, will retry: seconds=%g", self._interval_s)
        await self._link.wait_up(self._interval_s)

"""The servers of other datacenters that are linked to this one: who is let in, what each may ask.

They come to a port of their own (`ports.serf_wan`), so that nobody takes one
for a client of this datacenter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from fairlead.agent.cluster import frames, secret
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.contracts import Edge, Reply
from fairlead.agent.cluster.links import Links
from fairlead.agent.cluster.membership import Membership
from fairlead.agent.cluster.served import ServedLink
from fairlead.agent.cluster.wan.link import Owner
from fairlead.clock import Clock
from fairlead.core import lookup
from fairlead.core.health import Instance
from fairlead.core.keys import node_key
from fairlead.core.rows import MemberRow, NodeRow
from fairlead.store import Store

__all__ = ["SOURCE", "Host", "WanLinks", "WanServed"]

SOURCE = b"x-fairlead-source"
"""The header with the node whose agent a request came to, in another datacenter."""
_SERVER = "consul"
_OF_ONE_DATACENTER = (
    frames.Submit,
    frames.Fetch,
    frames.Attend,
    frames.Confirm,
    frames.Enlist,
    frames.Depart,
    frames.Report,
)


class Host(Owner, Protocol):
    """What is asked of the server they are linked to."""

    def own_addresses(self) -> list[str]:
        """Where the servers of this datacenter take others in."""

    async def arrived(self, member: MemberRow) -> None:
        """A server of another datacenter linked itself."""

    async def departed(self, name: str) -> None:
        """It says that it goes for good."""


class WanServed(ServedLink):
    """One linked server of another datacenter."""

    _links: WanLinks

    def __init__(self, links: WanLinks) -> None:
        super().__init__(links)
        self._sent: frames.Roster | None = None
        handlers: dict[type, Callable[[Any], None]] = {
            frames.Roster: self._roster,
            frames.Execute: self._execute,
        }
        for kind in _OF_ONE_DATACENTER:
            del self._handlers[kind]
        self._handlers.update(handlers)

    @property
    def name(self) -> str:
        return f"{self.node.node}.{self.node.datacenter}"

    def tell(self) -> None:
        """Say whom this server knows, if that is news."""
        roster = self._links.host.roster()
        if self.is_in and roster != self._sent:
            self._sent = roster
            self._channel.send(roster)

    async def _enter(self, login: frames.Login) -> None:
        await super()._enter(login)
        self.tell()

    def _refusal(self, login: frames.Login) -> str:
        links, node = self._links, login.node
        if login.version != frames.VERSION:
            return f"links of version {login.version} are not spoken here, {frames.VERSION} is"
        if not secret.is_proof(login.proof, links.key, secret.CLIENT, self._nonce, login.nonce):
            return "the encrypt keys differ"
        if not node.node or not node.datacenter or "." in node.datacenter:
            return "it has no name"
        if login.tags.get("role") != _SERVER or node.datacenter == links.node.datacenter:
            return "this port is for servers of other datacenters; join at ports.serf_lan"
        other = links.by_name.get(node_key(f"{node.node}.{node.datacenter}"))
        if other is not None and other.node.id.lower() != node.id.lower():
            return f'the name "{node.node}.{node.datacenter}" is taken by a server that lives'
        return ""

    def _roster(self, frame: frames.Roster) -> None:
        self._links.host.told(self.node.datacenter, frame.members)

    def _execute(self, frame: frames.Execute) -> None:
        self.start(self.answer(frame.id, self._found(frame)))

    async def _found(self, frame: frames.Execute) -> list[Instance]:
        links = self._links
        nodes = lookup.execute(links.store.state, frame.query, "", connect=frame.connect)
        links.clock.shuffle(nodes)
        return nodes[: frame.limit] if frame.limit > 0 else nodes

    def _beat(self, frame: frames.Beat) -> None:
        links = self._links
        host = links.host
        if frame.position is not None:
            host.stands(self.name, frame.position)
        position = host.vivaldi.position
        interval_ns = self._interval_ns()
        self._channel.send(frames.Pulse(frame.number, interval_ns, position, links.servers))

    async def _depart(self) -> None:
        await self._links.host.departed(self.name)
        self._channel.send(frames.Left())
        self._channel.close()


class WanLinks(Links):
    """All of them."""

    def __init__(self, host: Host, store: Store, clock: Clock, node: NodeRow, key: bytes) -> None:
        super().__init__(store, clock, node, key, 0)
        self.host = host
        self.membership = _Arrivals(host, store, clock, node.node)

    @property
    def servers(self) -> list[str]:
        return self.host.own_addresses()

    def serve(self, edge: Edge) -> None:
        """Have requests answered there."""
        self.edge = _Sourced(edge)

    def tell(self) -> None:
        """Say to each whom this server knows, if that is news."""
        for link in self._open:
            assert isinstance(link, WanServed), "no other is made here"
            link.tell()

    def _accept(self) -> Channel:
        return Channel(WanServed(self))

    def hello(self, nonce: bytes) -> frames.Hello:
        return frames.Hello(frames.VERSION, f"{self.node.node}.{self.node.datacenter}", nonce)

    def follows(self, link: ServedLink) -> None:
        """Nobody does: each datacenter has a leader of its own."""

    def entered(self, link: ServedLink) -> None:
        key = node_key(f"{link.node.node}.{link.node.datacenter}")
        old, self.by_name[key] = self.by_name.get(key), link
        if old is not None and old is not link:
            old.replaced()

    def closed(self, link: ServedLink) -> None:
        self._open.discard(link)
        if link.is_in:
            key = node_key(f"{link.node.node}.{link.node.datacenter}")
            if self.by_name.get(key) is link:
                del self.by_name[key]


class _Arrivals(Membership):
    """Servers of other datacenters are no members of this one: they are noted elsewhere."""

    def __init__(self, host: Host, store: Store, clock: Clock, own_name: str) -> None:
        super().__init__(store, clock, own_name, 0)
        self._host = host

    async def join(self, node: NodeRow, member: MemberRow) -> None:
        name = f"{node.node}.{node.datacenter}"
        row = MemberRow(name, member.addr, member.port, member.tags, member.status)
        await self._host.arrived(row)


class _Sourced:
    """An edge for requests that name the node they came to in a header."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    def limit_bytes(self, method: str, target: bytes) -> int:
        return self._edge.limit_bytes(method, target)

    def ask(
        self,
        method: str,
        target: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        source: str,
        reply: Callable[[Reply], None],
        is_relayed: bool = False,
    ) -> Callable[[], None] | None:
        source = headers.pop(SOURCE, source.encode()).decode("utf-8", "replace")
        return self._edge.ask(method, target, headers, body, source, reply, is_relayed)

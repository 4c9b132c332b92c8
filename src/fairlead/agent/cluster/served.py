"""One linked agent, as its server sees it: the handshake, then its requests."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, get_args

from msgspec import structs

from fairlead.agent.cluster import frames, from_server, secret
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.frames import BrokenFrameError, Frame
from fairlead.core.commands import (
    CatalogDeregister,
    CatalogRegister,
    CoordinatesUpdate,
    EventFire,
    WanRemove,
    WanSet,
)
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE
from fairlead.core.rows import MemberRow, NodeRow
from fairlead.durations import SECOND_NS
from fairlead.errors import DeniedError, FairleadError, InvalidError, UnavailableError

if TYPE_CHECKING:
    from fairlead.agent.cluster.links import Links

__all__ = ["ServedLink"]

log = logging.getLogger("agent.cluster")

_NONCE_BYTES = 32
_LOGIN_S = 5.0
# What agents may have decided directly; all else goes through the HTTP API and its checks.
_Command = CatalogRegister | CatalogDeregister | CoordinatesUpdate | EventFire | WanSet | WanRemove
_COMMANDS = {kind.__name__: kind for kind in get_args(_Command)}


class ServedLink:
    """An `End` of a channel."""

    node: NodeRow
    _channel: Channel

    def __init__(self, links: Links) -> None:
        self._links = links
        self._registry = links.registry
        self._nonce = os.urandom(_NONCE_BYTES)
        self._patience: asyncio.TimerHandle | None = None
        self._login: frames.Login | None = None
        self.is_in = False
        self._cancels: dict[int, Callable[[], None]] = {}
        self._bodies: dict[int, _Body] = {}
        self._handlers: dict[type, Callable[[Any], None]] = {
            frames.Ask: self._ask,
            frames.Part: self._part,
            frames.Cancel: self._cancel,
            frames.Submit: self._submit,
            frames.Fetch: self._fetch,
            frames.Attend: self._attend,
            frames.Question: self._question,
            frames.Beat: self._beat,
            frames.Leave: self._leave,
            **from_server.handlers(self, links),
        }

    # ---------------------------------------------------------------- the channel

    def opened(self, channel: Channel) -> None:
        self._channel = channel
        self._links.opened(self)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(_LOGIN_S, channel.abort, "it did not say who it is")
        channel.send(self._links.hello(self._nonce))

    def received(self, frame: Frame) -> None:
        if self.is_in:
            handler = self._handlers.get(type(frame))
            if handler is None:
                raise BrokenFrameError(f"a frame that only servers send: {type(frame).__name__}")
            handler(frame)
        elif isinstance(frame, frames.Login) and self._login is None:
            self._login = frame
            self.start(self._enter(frame))
        elif isinstance(frame, frames.Gather) and self._login is None:
            self.start(self._gathered(frame))
        else:
            raise BrokenFrameError("it spoke before it was let in")

    def closed(self, channel: Channel, reason: str) -> None:
        if self._patience is not None:
            self._patience.cancel()
        for cancel in list(self._cancels.values()):
            cancel()
        self._cancels.clear()
        if reason:
            name = self.node.node if self.is_in else ""
            log.warning(
                "a link was ended: node=%s from=%s why=%s", name, self._channel.peer, reason
            )
        self._links.closed(self)

    def shut(self) -> None:
        """The server stops."""
        self._channel.close()

    def replaced(self) -> None:
        """The agent has a newer link."""
        self._channel.close()

    # ---------------------------------------------------------------- the handshake

    async def _enter(self, login: frames.Login) -> None:
        links = self._links
        refusal = self._refusal(login)
        if not refusal:
            node = login.node
            member = MemberRow(node.node, node.address, login.port, login.tags, ALIVE)
            try:
                await links.members.join(node, member)
            except FairleadError as error:
                refusal = str(error) or type(error).__name__
        if not self._channel.is_open:
            links.members.broke(node_key(login.node.node))
            return
        if refusal:
            log.warning("an agent was refused: from=%s why=%s", self._channel.peer, refusal)
            self._channel.send(frames.Refused(refusal))
            self._channel.close()
            return
        self.node = login.node
        self.is_in = True
        if self._patience is not None:
            self._patience.cancel()
        self._channel.trust()
        links.entered(self)
        own = secret.proof(links.key, secret.SERVER, login.nonce, self._nonce)
        self._channel.send(frames.Welcome(own, links.servers, self._interval_ns()))
        if login.tags.get("role") == "consul":
            links.follows(self)

    def _refusal(self, login: frames.Login) -> str:
        links = self._links
        if login.version != frames.VERSION:
            return f"links of version {login.version} are not spoken here, {frames.VERSION} is"
        if not secret.is_proof(login.proof, links.key, secret.CLIENT, self._nonce, login.nonce):
            return "the encrypt keys differ"
        if not login.node.node:
            return "it has no name"
        if login.node.datacenter != links.node.datacenter:
            return f'it is in datacenter "{login.node.datacenter}", not "{links.node.datacenter}"'
        return links.conflict(login.node)

    async def _gathered(self, frame: frames.Gather) -> None:
        """A server looks for a cluster; it comes again for whatever it wants next."""
        if self._patience is not None:
            self._patience.cancel()
        admit = self._links.admit
        try:
            if admit is None:
                raise DeniedError("this server runs alone; it is none of several")
            self._channel.send(await admit(frame, self._nonce))
        except DeniedError as error:
            log.warning("a server was refused: from=%s why=%s", self._channel.peer, error)
            self._channel.send(frames.Refused(f"{self._links.node.node}: {error}"))
        except BrokenFrameError as error:
            self._channel.abort(str(error))
        self._channel.close()

    def _interval_ns(self) -> int:
        return int(self._links.members.interval_s * SECOND_NS)

    # ---------------------------------------------------------------- requests

    def _ask(self, frame: frames.Ask) -> None:
        edge = self._links.edge
        if edge is None:
            raise BrokenFrameError("this server has no HTTP edge")
        if not frame.more:
            self._serve(frame, frame.body)
            return
        limit = edge.limit_bytes(frame.method, frame.target)
        self._bodies[frame.id] = _Body(frame, limit)

    def _part(self, frame: frames.Part) -> None:
        body = self._bodies.get(frame.id)
        if body is None:
            return
        body.add(frame.data)
        if frame.last:
            del self._bodies[frame.id]
            self._serve(body.frame, body.join())

    def _serve(self, frame: frames.Ask, body: bytes) -> None:
        edge = self._links.edge
        assert edge is not None, "checked when its first frame came"

        def reply(answer: Reply) -> None:
            self._cancels.pop(frame.id, None)
            if answer.stream is None and len(answer.body) <= frames.PART_BYTES:
                self._channel.send(_answer(frame.id, answer, self._links.store.state.index))
            else:
                self.start(self._send(frame.id, answer))

        is_relayed = bool(frame.source)
        source = frame.source or self.node.node
        cancel = edge.ask(
            frame.method, frame.target, dict(frame.headers), body, source, reply, is_relayed
        )
        if cancel is not None:
            self._cancels[frame.id] = cancel

    async def _send(self, call: int, reply: Reply) -> None:
        """An answer in parts, as fast as the client takes them."""
        channel = self._channel
        index = self._links.store.state.index
        channel.send(_answer(call, structs.replace(reply, body=b"", stream=None), index, more=True))
        if reply.stream is not None:
            with reply.stream as stream:
                while chunk := stream.read(frames.PART_BYTES):
                    channel.send(frames.Part(call, chunk, False))
                    await channel.drain()
        else:
            for start in range(0, len(reply.body), frames.PART_BYTES):
                part = reply.body[start : start + frames.PART_BYTES]
                channel.send(frames.Part(call, part, False))
                await channel.drain()
        channel.send(frames.Part(call, b"", True))

    def _cancel(self, frame: frames.Cancel) -> None:
        self._bodies.pop(frame.id, None)
        cancel = self._cancels.pop(frame.id, None)
        if cancel is not None:
            cancel()

    def _submit(self, frame: frames.Submit) -> None:
        self.start(self.answer(frame.id, self._decided(frame)))

    async def _decided(self, frame: frames.Submit) -> Any:
        kind = _COMMANDS.get(frame.kind)
        if kind is None:
            raise InvalidError(f"an agent cannot submit {frame.kind}")
        return await self._registry.submit(frames.decode_value(frame.command, kind))

    def _fetch(self, frame: frames.Fetch) -> None:
        self.start(self.answer(frame.id, self._registry.contents(frame.node)))

    def _attend(self, frame: frames.Attend) -> None:
        changed = self._registry.changed(frame.node)
        self._cancels[frame.id] = functools.partial(_cancel_future, changed)

        def done(changed: asyncio.Future[None]) -> None:
            if not changed.cancelled():
                self._cancels.pop(frame.id, None)
                self._channel.send(frames.Result(frame.id, frames.encode_value(None)))

        changed.add_done_callback(done)

    def _question(self, frame: frames.Question) -> None:
        self.start(self.answer(frame.id, self._named(frame)))

    async def _named(self, frame: frames.Question) -> bytes | None:
        names = self._links.names
        if names is None:
            raise UnavailableError("this server has no DNS edge")
        answer = names(frame.data, frame.is_tcp, frame.source)
        return answer if answer is None or isinstance(answer, bytes) else await answer

    async def answer(self, call: int, work: Coroutine[Any, Any, Any]) -> None:
        try:
            value = await work
        except FairleadError as error:
            self._channel.send(frames.Failed(call, type(error).__name__, str(error)))
        else:
            self._channel.send(frames.Result(call, frames.encode_value(value)))

    # ---------------------------------------------------------------- life and death

    def _beat(self, frame: frames.Beat) -> None:
        links = self._links
        key = node_key(self.node.node)
        links.members.beat(key)
        if frame.index:
            links.standings.beat(key, frame.index, links.store.state.index)
        links.positions.heard(self.node.node, frame.position, frame.rtt_ns)
        self._channel.send(
            frames.Pulse(
                frame.number,
                self._interval_ns(),
                links.positions.own,
                links.servers,
                len(links.store.state.nodes),
            )
        )
        if not links.members.is_whole(key):
            self.start(self._rejoin())

    async def _rejoin(self) -> None:
        """It lives though the tables say otherwise."""
        login = self._login
        assert login is not None, "it is in"
        node = login.node
        member = MemberRow(node.node, node.address, login.port, login.tags, ALIVE)
        try:
            await self._links.members.join(node, member)
        except UnavailableError as error:
            log.warning("a member cannot be registered: node=%s why=%s", node.node, error)
        except FairleadError as error:
            self._channel.abort(str(error))

    def _leave(self, frame: frames.Leave) -> None:
        self.start(self._depart())

    async def _depart(self) -> None:
        links = self._links
        links.by_name.pop(node_key(self.node.node), None)
        links.positions.forget(self.node.node)
        try:
            await links.members.leave(self.node.node)
        except FairleadError as error:
            log.warning("a member could not leave: node=%s why=%s", self.node.node, error)
        self._channel.send(frames.Left())
        self._channel.close()

    def send(self, frame: Frame) -> None:
        self._channel.send(frame)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        self._links.start(asyncio.create_task(work))


def _answer(call: int, reply: Reply, index: int, *, more: bool = False) -> frames.Answer:
    return frames.Answer(
        call, reply.status, reply.content_type, reply.headers, reply.body, more, index
    )


def _cancel_future(future: asyncio.Future[None]) -> None:
    future.cancel()


class _Body:
    """The body of a request that comes in parts."""

    __slots__ = ("_left", "_parts", "frame")

    def __init__(self, frame: frames.Ask, limit_bytes: int) -> None:
        self.frame = frame
        self._parts: list[bytes] = []
        self._left = limit_bytes
        self.add(frame.body)

    def add(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise BrokenFrameError("a body over its limit")
        self._parts.append(data)

    def join(self) -> bytes:
        return b"".join(self._parts)

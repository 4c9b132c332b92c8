"""The client's end: one kept connection to a server, found again whenever it breaks.

It needs no HTTP edge: `request` is for anybody, and `LinkRegistry` over it. It
beats as often as its server wants, measures the round trips, and from them
keeps this node's coordinate.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

from fairlead.agent.cluster import frames, secret
from fairlead.agent.cluster.addresses import JoinError, dial, split_address
from fairlead.agent.cluster.calls import NO_SERVER, Call, Calls, Question, into
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.frames import BrokenFrameError, Frame
from fairlead.agent.cluster.heart import Heart
from fairlead.agent.cluster.identity import Identity
from fairlead.clock import Clock
from fairlead.core.rows import Position
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["HOLD_S", "LONGEST_BACKOFF_S", "Link"]

log = logging.getLogger("agent.cluster")

HOLD_S = 7.0
"""How long a request waits for a link that broke, as Consul's `rpc_hold_timeout`."""
_GREETING_S = 5.0
_LEAVE_S = 5.0
_FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 5.0
_NONCE_BYTES = 32


class Link:
    """An `End` of a channel, and the loop that keeps one."""

    def __init__(
        self, identity: Identity, clock: Clock, key: bytes = b"", default_port: int = 8301
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.joined: list[str] = []  # as the operator wrote them
        self.servers: list[str] = []  # as the server said
        self.server = ""
        self.nodes = 1  # in the cluster, as far as is known
        self.remember: Callable[[list[str]], None] = lambda servers: None
        self.heard: Callable[[], None] = lambda: None  # called when the server was
        self._key = key
        self._default_port = default_port
        self._calls = Calls()
        # the connection, and the handshake on it
        self._channel: Channel | None = None
        self._entering: asyncio.Future[None] | None = None
        self._turn = asyncio.Lock()
        self._nonce = b""
        self._challenge = b""
        self._is_up = asyncio.Event()
        self._is_down = asyncio.Event()
        self._is_down.set()
        self._holding: asyncio.TimerHandle | None = None
        self._leaving: asyncio.Future[None] | None = None
        self._is_going = False
        self._complaints: set[str] = set()  # each is made once an outage
        self._heart = Heart(clock)
        self._pulse: asyncio.Future[None] | None = None
        self._handlers: dict[type, Callable[[Any], None]] = {
            frames.Answer: self._calls.heard,
            frames.Part: self._calls.heard,
            frames.Result: self._calls.heard,
            frames.Failed: self._calls.heard,
            frames.Pulse: self._hear_pulse,
            frames.Left: self._hear_left,
        }

    @property
    def is_up(self) -> bool:
        return self._is_up.is_set()

    @property
    def position(self) -> Position:
        """Where this node stands."""
        return self._heart.vivaldi.position

    async def wait_up(self, seconds: float | None = None) -> bool:
        """Whether it is up, at the latest after that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_up.wait()
        return self.is_up

    # ---------------------------------------------------------------- what callers want

    def ask(
        self,
        method: str,
        target: bytes,
        reply: Callable[[Reply | FairleadError], None],
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
        source: str = "",
    ) -> Call:
        """Send an HTTP request to the server; `cancel` takes it back."""
        long = len(body) > frames.PART_BYTES
        frame = frames.Ask(
            self._calls.new_id(), method, target, headers or [], b"" if long else body, long, source
        )
        call = Call(frame, reply, is_read=method == "GET", body=body if long else b"")
        self._begin(call)
        return call

    def cancel(self, call: Call) -> None:
        """Nobody waits for the answer any more. Harmless after it came."""
        if self._calls.drop(call) and call.is_sent and self._channel is not None:
            self._channel.send(frames.Cancel(call.frame.id))

    async def request(
        self,
        method: str,
        target: bytes,
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
    ) -> Reply:
        """The server's answer to an HTTP request; cancelling takes it back.

        Raises:
            UnavailableError: there is no server, or the fate of a write is unknown.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        call = self.ask(method, target, into(future), headers, body)
        reply: Reply = await self._wait(call, future)
        return reply

    async def call(
        self, frame: Callable[[int], Question], *, is_read: bool
    ) -> frames.Result | frames.Failed:
        """The answer to a frame that is made with the id of the call (`link_registry.py`).

        Raises:
            UnavailableError: as for `request`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        call = Call(frame(self._calls.new_id()), into(future), is_read=is_read)
        self._begin(call)
        answer: frames.Result | frames.Failed = await self._wait(call, future)
        return answer

    async def _wait(self, call: Call, future: asyncio.Future[Any]) -> Any:
        try:
            return await future
        finally:
            self.cancel(call)

    def _begin(self, call: Call) -> None:
        if self._channel is not None and self.is_up:
            self._calls.add(call)
            call.send(self._channel.send)
        elif self._holding is not None:
            self._calls.add(call)
        else:
            call.reply(UnavailableError(NO_SERVER))

    # ---------------------------------------------------------------- keeping a connection

    async def join(self, address: str) -> None:
        """Link to that server now.

        Raises:
            JoinError: it cannot be reached, or refuses.
        """
        async with self._turn:
            if not self.is_up:
                await self._enter(address)

    async def _enter(self, address: str) -> None:
        host, port = split_address(address, self._default_port)
        self._nonce, self._challenge = os.urandom(_NONCE_BYTES), b""
        self._entering = entering = asyncio.get_running_loop().create_future()
        channel = Channel(self)
        try:
            async with asyncio.timeout(_GREETING_S):
                await dial(channel, host, port)
                await entering
        except TimeoutError as error:
            raise JoinError(f"Failed to join {host}: no answer from {host}:{port}") from error
        finally:
            self._entering = None
            if not self.is_up:
                channel.abort("")
                self._channel = None
        self.server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        log.info("linked to a server: address=%s", channel.peer)
        if address not in self.joined:
            self.joined.append(address)
        self._remember()

    async def run(self, first: Callable[[], Awaitable[None]] | None = None) -> None:
        """Keep linked for ever; `first` waits between the tries of the first time."""
        while not self.is_up and not await self._try_all():
            await (first() if first is not None else self._pause(LONGEST_BACKOFF_S))
        while True:
            await self._beat_while_up()
            backoff_s = _FIRST_BACKOFF_S
            await self._pause(backoff_s)
            while not self.is_up and not await self._try_all():
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)
                await self._pause(backoff_s)

    async def _pause(self, seconds: float) -> None:
        """Half of it for certain, half by chance, so that agents do not return all at once."""
        await self.wait_up(seconds / 2 + self.clock.jitter(seconds / 2))

    async def _try_all(self) -> bool:
        """Whether one of the known servers took us in; the last good one is tried first."""
        for address in self._candidates():
            try:
                await self.join(address)
            except JoinError as error:
                level = logging.DEBUG if str(error) in self._complaints else logging.WARNING
                log.log(level, "no link: %s", error)
                self._complaints.add(str(error))
            else:
                self._complaints.clear()
                return True
        return False

    def _candidates(self) -> list[str]:
        """Whom to try, in this order."""
        known = dict.fromkeys([self.server, *self.servers, *self.joined])
        return [address for address in known if address]

    # ---------------------------------------------------------------- the channel

    def opened(self, channel: Channel) -> None:
        self._channel = channel

    def received(self, frame: Frame) -> None:
        handler = self._handlers.get(type(frame)) if self.is_up else None
        if handler is not None:
            handler(frame)
        elif isinstance(frame, frames.Hello):
            self._hear_hello(frame)
        elif isinstance(frame, frames.Welcome):
            self._hear_welcome(frame)
        elif isinstance(frame, frames.Refused):
            self._fail_entering(f"refused: {frame.reason}")
        else:
            raise BrokenFrameError(f"a frame that cannot come now: {type(frame).__name__}")

    def closed(self, channel: Channel, reason: str) -> None:
        if channel is not self._channel:
            return
        self._fail_entering(reason or "the connection was closed")
        self._channel = None
        if self._pulse is not None and not self._pulse.done():
            self._pulse.cancel()
        if self._leaving is not None and not self._leaving.done():
            self._leaving.set_result(None)
        if not self.is_up:
            return
        self._is_up.clear()
        self._is_down.set()
        if self._is_going:
            return
        log.warning("the link to the server broke: address=%s why=%s", self.server, reason or "EOF")
        self._holding = asyncio.get_running_loop().call_later(HOLD_S, self._give_up)
        self._calls.broke()

    def _give_up(self) -> None:
        self._holding = None
        self._calls.give_up(UnavailableError(NO_SERVER))

    # ---------------------------------------------------------------- the handshake

    def _hear_hello(self, hello: frames.Hello) -> None:
        if self._challenge or self._channel is None:
            raise BrokenFrameError("a second greeting")
        if hello.version != frames.VERSION:
            self._fail_entering(f"it speaks links of version {hello.version}")
            return
        self._challenge = hello.nonce
        proof = secret.proof(self._key, secret.CLIENT, hello.nonce, self._nonce)
        who = self.identity
        self._channel.send(
            frames.Login(frames.VERSION, self._nonce, proof, who.node, who.port, who.tags)
        )

    def _hear_welcome(self, welcome: frames.Welcome) -> None:
        challenge, self._challenge = self._challenge, b""
        if self._channel is None or self._entering is None or not challenge:
            raise BrokenFrameError("a welcome that nobody asked for")
        if not secret.is_proof(welcome.proof, self._key, secret.SERVER, self._nonce, challenge):
            self._fail_entering("the encrypt keys differ")
            self._channel.abort("it does not know the encrypt key")
            return
        self._channel.trust()
        self._heart.start(welcome.interval_ns)
        self.servers = welcome.servers
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
        self._is_up.set()
        self._is_down.clear()
        if not self._entering.done():
            self._entering.set_result(None)
        self._calls.resend(self._channel.send)

    def _fail_entering(self, reason: str) -> None:
        self._challenge = b""
        if self._channel and self._entering is not None and not self._entering.done():
            fault = JoinError(f"Failed to join {self._channel.peer}: {reason}")
            self._entering.set_exception(fault)

    def _learn(self, servers: list[str]) -> None:
        if servers != self.servers:
            self.servers = servers
            self._remember()

    def _remember(self) -> None:
        """The address that was good is one more, should those that servers tell not be."""
        self.remember(list(dict.fromkeys([self.server, *self.servers])))

    # ---------------------------------------------------------------- heartbeats

    async def _beat_while_up(self) -> None:
        while self.is_up:
            self.send_beat()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._heart.interval_s):
                    await self._is_down.wait()
            if self._heart.is_silent and self._channel is not None:
                self._channel.abort("it was silent for too long")
                await self._is_down.wait()

    def send(self, frame: Frame) -> None:
        """Say something that needs no answer; nothing where there is no server."""
        if self._channel is not None and self.is_up:
            self._channel.send(frame)

    def send_beat(self) -> None:
        """Say that this agent lives."""
        if self.is_up:
            self.send(self._heart.beat())

    async def beat(self) -> None:
        """Send one heartbeat and wait until the server has heard it.

        Raises:
            UnavailableError: there is no server.
        """
        if not self.is_up:
            raise UnavailableError(NO_SERVER)
        self._pulse = asyncio.get_running_loop().create_future()
        self.send_beat()
        await self._pulse

    def _hear_pulse(self, pulse: frames.Pulse) -> None:
        self._heart.hear(pulse, self.server)
        self.heard()
        self.nodes = pulse.nodes
        self._learn(pulse.servers)
        if self._pulse is not None and not self._pulse.done():
            self._pulse.set_result(None)

    # ---------------------------------------------------------------- the end

    async def leave(self) -> None:
        """Tell the server that this node leaves the cluster; at most a few seconds are spent."""
        self._is_going = True
        if self._channel is None or not self.is_up:
            return
        self._leaving = asyncio.get_running_loop().create_future()
        self._channel.send(frames.Leave())
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._leaving
        except TimeoutError:
            log.warning("the server did not confirm that this node left")

    def _hear_left(self, left: frames.Left) -> None:
        if self._leaving is not None and not self._leaving.done():
            self._leaving.set_result(None)

    def stop(self) -> None:
        """Let go of the connection and of whoever waits."""
        self._is_going = True
        if self._channel is not None:
            self._channel.close()
        if self._holding is not None:
            self._holding.cancel()
            self._holding = None
        self._calls.broke()
        self._calls.give_up(UnavailableError("the agent is stopping"))

"""The ports for agents, before there is a store to serve them from.

Other servers are answered; agents are told to come again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.frames import BrokenFrameError, Frame
from fairlead.agent.etcd.peers import View
from fairlead.agent.etcd.questions import heard, said
from fairlead.errors import DeniedError, SettingsError

__all__ = ["Listening"]

log = logging.getLogger("agent.etcd")

_NONCE_BYTES = 32
_LOGIN_S = 5.0
_WAITS = "this server waits for the others; try again"


class Listening:
    """The listeners; `answer` is given what a server says, and returns what to say to it."""

    def __init__(self, name: str, key: bytes, answer: Callable[[View], View]) -> None:
        self.name = name
        self.key = key
        self.answer = answer
        self._listeners: list[asyncio.Server] = []
        self._open: set[Channel] = set()

    async def start(self, host: str, ports: dict[str, int]) -> None:
        """Listen on these ports, which are named by their configuration keys.

        Raises:
            SettingsError: a port cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        for key, port in ports.items():
            if port <= 0:
                continue
            try:
                self._listeners.append(await loop.create_server(self._accept, host, port))
            except OSError as error:
                text = os.strerror(error.errno) if error.errno else str(error)
                raise SettingsError(
                    f"cannot listen on {host}:{port}: {text[:1].lower()}{text[1:]}",
                    hint=f"is another agent running? Choose another port with {key}",
                ) from error

    async def stop(self) -> None:
        """The ports are free when it returns."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for channel in list(self._open):
            channel.close()
        await asyncio.sleep(0)

    def opened(self, channel: Channel) -> None:
        self._open.add(channel)

    def closed(self, channel: Channel) -> None:
        self._open.discard(channel)

    def _accept(self) -> Channel:
        return Channel(_Host(self))


class _Host:
    """One connection."""

    def __init__(self, listening: Listening) -> None:
        self._listening = listening
        self._nonce = os.urandom(_NONCE_BYTES)
        self._patience: asyncio.TimerHandle | None = None

    def opened(self, channel: Channel) -> None:
        self._channel = channel
        self._listening.opened(channel)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(_LOGIN_S, channel.abort, "it did not say who it is")
        channel.send(frames.Hello(frames.VERSION, self._listening.name, self._nonce))

    def received(self, frame: Frame) -> None:
        if isinstance(frame, frames.Gather):
            self._gathered(frame)
        elif isinstance(frame, frames.Login):
            self._refuse(_WAITS)
        else:
            raise BrokenFrameError("it spoke before it was let in")

    def _gathered(self, frame: frames.Gather) -> None:
        try:
            view = heard(frame, self._nonce, self._listening.key)
        except DeniedError as error:
            log.warning("a server was refused: from=%s why=%s", self._channel.peer, error)
            self._refuse(f"{self._listening.name}: {error}")
            return
        answer = self._listening.answer(view)
        self._channel.send(said(frame, self._nonce, self._listening.key, answer))
        self._channel.close()

    def _refuse(self, why: str) -> None:
        self._channel.send(frames.Refused(why))
        self._channel.close()

    def closed(self, channel: Channel, reason: str) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._listening.closed(channel)

"""One question between two servers and its answer: `Gather` and `Gathered`, both proved.

The proof is over what is said, so that nobody without the secret can say it or
change it on its way.
"""

from __future__ import annotations

import asyncio
import os

from fairlead.agent.cluster import frames, secret
from fairlead.agent.cluster.addresses import JoinError, dial
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.frames import BrokenFrameError, Frame
from fairlead.agent.etcd.peers import View
from fairlead.errors import DeniedError

__all__ = ["ask", "heard", "said"]

_NONCE_BYTES = 32
_TIMEOUT_S = 3.0
# Taking a server in is a change that a majority has to confirm, sometimes two.
_WANTS_IN_TIMEOUT_S = 20.0


def heard(frame: frames.Gather, nonce: bytes, key: bytes) -> View:
    """What a server says that was challenged with `nonce`.

    Raises:
        DeniedError: it does not know the secret, or speaks another version.
        BrokenFrameError: nobody could read it.
    """
    if frame.version != frames.VERSION:
        raise DeniedError(
            f"links of version {frame.version} are not spoken here, {frames.VERSION} is"
        )
    own = frame.nonce + frame.view
    if not secret.is_proof(frame.proof, key, secret.CLIENT, nonce, own):
        raise DeniedError("the encrypt keys differ")
    view: View = frames.decode_value(frame.view, View)
    return view


def said(frame: frames.Gather, nonce: bytes, key: bytes, view: View) -> frames.Gathered:
    """The answer to it."""
    text = frames.encode_value(view)
    return frames.Gathered(secret.proof(key, secret.SERVER, frame.nonce, nonce + text), text)


async def ask(host: str, port: int, view: View, key: bytes) -> View:
    """Tell the server there what this one knows, and hear what it does.

    Raises:
        JoinError: nobody answers there, or refuses; it says why.
    """
    guest = _Guest(view, key)
    channel = Channel(guest)
    await dial(channel, host, port)
    try:
        async with asyncio.timeout(_WANTS_IN_TIMEOUT_S if view.wants_in else _TIMEOUT_S):
            return await guest.answer
    except TimeoutError as error:
        raise JoinError(f"{host}:{port} does not answer in time") from error
    finally:
        channel.close()


class _Guest:
    """The end that asks."""

    def __init__(self, view: View, key: bytes) -> None:
        self.answer: asyncio.Future[View] = asyncio.get_running_loop().create_future()
        self._view = frames.encode_value(view)
        self._key = key
        self._nonce = os.urandom(_NONCE_BYTES)
        self._challenge = b""

    def opened(self, channel: Channel) -> None:
        self._channel = channel

    def received(self, frame: Frame) -> None:
        if isinstance(frame, frames.Hello) and not self._challenge:
            self._greeted(frame)
        elif isinstance(frame, frames.Refused):
            self._fail(f"{self._channel.peer} refuses: {frame.reason}")
        elif isinstance(frame, frames.Gathered) and self._challenge:
            self._answered(frame)
        else:
            raise BrokenFrameError(f"a frame that cannot come now: {type(frame).__name__}")

    def _greeted(self, hello: frames.Hello) -> None:
        if hello.version != frames.VERSION:
            self._fail(f"{self._channel.peer} speaks links of version {hello.version}")
            return
        self._challenge = hello.nonce
        own = self._nonce + self._view
        proof = secret.proof(self._key, secret.CLIENT, hello.nonce, own)
        self._channel.send(frames.Gather(frames.VERSION, self._nonce, proof, self._view))

    def _answered(self, frame: frames.Gathered) -> None:
        own = self._challenge + frame.view
        if not secret.is_proof(frame.proof, self._key, secret.SERVER, self._nonce, own):
            self._fail(f"{self._channel.peer}: the encrypt keys differ")
            return
        view: View = frames.decode_value(frame.view, View)
        if not self.answer.done():
            self.answer.set_result(view)

    def closed(self, channel: Channel, reason: str) -> None:
        self._fail(f"{channel.peer}: {reason or 'it closed the connection'}")

    def _fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(JoinError(why))
            # Whoever asked may have gone.
            self.answer.exception()

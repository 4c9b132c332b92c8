"""Where to join: `host`, `host:port`, `[v6]:port`, resolved anew at each try."""

from __future__ import annotations

import asyncio
import os
import socket

from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.frames import BrokenFrameError, Frame, Hello
from fairlead.errors import UnavailableError

__all__ = ["JoinError", "dial", "greet", "split_address"]

_DIAL_S = 3.0


class JoinError(UnavailableError):
    """Nobody there, or not one of ours; the words are Go's where it has them.

    `is_refused`: the machine answers, and no process listens there.
    """

    is_refused = False


def split_address(text: str, port: int) -> tuple[str, int]:
    """Host and port; without a port it is the one given.

    >>> split_address("db1", 8301), split_address("10.0.0.1:8300", 8301)
    (('db1', 8301), ('10.0.0.1', 8300))
    >>> split_address("[::1]:8300", 8301), split_address("::1", 8301)
    (('::1', 8300), ('::1', 8301))
    """
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        number = rest.removeprefix(":")
        return host, int(number) if number.isdecimal() else port
    host, colon, number = text.rpartition(":")
    if colon and ":" not in host and number.isdecimal():
        return host, int(number)
    return text, port


async def dial(end: Channel, host: str, port: int) -> None:
    """Connect, trying every address the name has.

    Raises:
        JoinError: none of them answers.
    """
    loop = asyncio.get_running_loop()
    try:
        if not host:
            # To the system this would be itself.
            raise OSError(0, "no name")
        async with asyncio.timeout(_DIAL_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, ValueError, OverflowError) as error:
        raise JoinError(f"Failed to resolve {host}: lookup {host}: no such host") from error
    fault = address = ""
    refused = 0
    for address in dict.fromkeys(str(where[0]) for _, _, _, _, where in found):
        name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            async with asyncio.timeout(_DIAL_S):
                await loop.create_connection(lambda: end, address, port)
                return
        except TimeoutError:
            fault = f"dial tcp {name}: i/o timeout"
        except OverflowError:
            fault = f"dial tcp: address {port}: invalid port"
        except OSError as error:
            fault = f"dial tcp {name}: connect: {_why(error)}"
            refused += isinstance(error, ConnectionRefusedError)
    failed = JoinError(f"Failed to join {address}: {fault}")
    failed.is_refused = refused > 0
    raise failed


def _why(error: OSError) -> str:
    text = os.strerror(error.errno) if error.errno else str(error)
    return text[:1].lower() + text[1:]


async def greet(host: str, port: int) -> Hello:
    """Who answers there.

    Raises:
        JoinError: nobody, or somebody who speaks another language.
    """
    guest = _Guest()
    channel = Channel(guest)
    await dial(channel, host, port)
    try:
        async with asyncio.timeout(_DIAL_S):
            return await guest.hello
    except TimeoutError as error:
        raise JoinError(f"Failed to join {host}: {host}:{port} says nothing") from error
    finally:
        channel.close()


class _Guest:
    """Hears the greeting and no more."""

    def __init__(self) -> None:
        self.hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._name = ""

    def opened(self, channel: Channel) -> None:
        self._name = channel.peer

    def received(self, frame: Frame) -> None:
        if not isinstance(frame, Hello):
            raise BrokenFrameError("it speaks another language")
        if not self.hello.done():
            self.hello.set_result(frame)

    def closed(self, channel: Channel, reason: str) -> None:
        if not self.hello.done():
            text = reason or "it closed the connection"
            self.hello.set_exception(JoinError(f"Failed to join {self._name}: {text}"))
            self.hello.exception()

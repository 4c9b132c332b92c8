"""Addresses of hosts, without a slow name server holding up other checks.

The event loop's own pool has a handful of threads: a few names that nobody
answers for would stop every other. Here a name being looked up has a thread of
its own, which is shared by all who want that name meanwhile. Nothing is kept:
a check must see an address that moved.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Resolver", "is_address", "name_server"]

# More lookups than this at a time wait for their turn, within their check's own timeout.
_THREADS = 256
_RESOLV_CONF = Path("/etc/resolv.conf")


class _Found(NamedTuple):
    """What a lookup ended with: addresses, or an error."""

    addresses: Sequence[str]
    error: OSError | None


class Resolver:
    """Looks names up, in the order the system prefers addresses."""

    def __init__(self) -> None:
        self._pending: dict[str, asyncio.Future[_Found]] = {}
        self._slots = asyncio.Semaphore(_THREADS)

    async def addresses(self, host: str) -> Sequence[str]:
        """Raises: OSError when there are none; UnicodeError when `host` can be no name."""
        if is_address(host):
            return (host,)
        pending = self._pending.get(host)
        if pending is None:
            async with self._slots:
                pending = self._pending.get(host) or self._start(host)
        # A check that gives up must not take the lookup from the others.
        found = await asyncio.shield(pending)
        if found.error is not None:
            raise found.error
        return found.addresses

    def _start(self, host: str) -> asyncio.Future[_Found]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Found] = loop.create_future()
        name = host.encode("idna") if not host.isascii() else host.encode()
        work = threading.Thread(
            target=_look_up, args=(name, loop, future), name="check-lookup", daemon=True
        )
        work.start()
        # Only now, for neither line above must leave a future that nothing ends.
        self._pending[host] = future
        future.add_done_callback(lambda _: self._pending.pop(host, None))
        return future


def _look_up(name: bytes, loop: asyncio.AbstractEventLoop, future: asyncio.Future[_Found]) -> None:
    try:
        rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        found = _Found([str(row[4][0]) for row in rows], None)
    except OSError as error:
        found = _Found((), error)
    except ValueError as error:  # a NUL character
        found = _Found((), OSError(str(error)))
    with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
        loop.call_soon_threadsafe(_tell, future, found)


def _tell(future: asyncio.Future[_Found], found: _Found) -> None:
    if not future.done():
        future.set_result(found)


def is_address(host: str) -> bool:
    """Whether it is no name.

    >>> is_address("10.0.0.1"), is_address("::1"), is_address("localhost")
    (True, True, False)
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.inet_pton(family, host.partition("%")[0])
    except (OSError, ValueError):
        return False
    return True


def name_server() -> str:
    """The address of the system's first name server; this host's when it names none."""
    with contextlib.suppress(OSError):
        for line in _RESOLV_CONF.read_text("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                return words[1]
    return "127.0.0.1"

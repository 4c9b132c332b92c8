"""The clients of a run, in a thread of their own that is where they are."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.faults.clients import Client, Desk, KeyClient, StaleClient
from tests.faults.lock_clients import LockClient, Locks
from tests.faults.places import Place
from tests.faults.speaking import LostError, NotSentError, Speaker

__all__ = ["Crowd"]

T = TypeVar("T")
_KEY_CLIENTS = 6
_STALE_CLIENTS = 2
_LOCKS = 2
_CLIENTS_OF_A_LOCK = 3


class Crowd:
    """Clients of all kinds."""

    def __init__(self, desk: Desk, place: Place) -> None:
        self.desk = desk
        self._place = place
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._live, name="clients", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failed:
            raise self._failed[0]
        self._clients: list[Client] = []
        self._tasks: list[asyncio.Task[None]] = []

    def _live(self) -> None:
        try:
            self._place.enter()
        except OSError as error:
            self._failed.append(error)
            return
        finally:
            self._started.set()
        self._loop.run_forever()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Run something where the clients are."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def start(self) -> None:
        self.do(self._start())

    async def _start(self) -> None:
        desk, locks = self.desk, Locks(_LOCKS)
        self._clients = [KeyClient(desk, f"key{n}") for n in range(_KEY_CLIENTS)]
        self._clients += [StaleClient(desk, f"stale{n}") for n in range(_STALE_CLIENTS)]
        self._clients += [
            LockClient(desk, f"lock{number}.{n}", locks, number)
            for number in range(_LOCKS)
            for n in range(_CLIENTS_OF_A_LOCK)
        ]
        self._tasks = [asyncio.create_task(client.run()) for client in self._clients]

    def stop(self) -> None:
        """Let everyone finish what they are at.

        Raises:
            Exception: a client had one.
        """
        self.desk.stopping = True
        self.do(self._join())

    async def _join(self) -> None:
        await asyncio.gather(*self._tasks)

    def close(self) -> None:
        self.do(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def leader(self) -> str:
        """The address of the leader as most see it; empty when nobody says."""
        return self.do(self._leader())

    async def _leader(self) -> str:
        answers = await asyncio.gather(*(_leader_by(one.http) for one in self.desk.targets))
        return max(answers, key=answers.count) if any(answers) else ""


async def _leader_by(address: str) -> str:
    speaker = Speaker(0.5)
    try:
        reply = await speaker.ask(address, "GET", "/v1/status/leader?stale")
        return str(json.loads(reply.body)) if reply.status == 200 else ""
    except (LostError, NotSentError, ValueError):
        return ""
    finally:
        await speaker.close()

"""In the place of an engine that servers share, until there is one.

Nothing is known and nobody leads; `Store.open` is not called before the engine is
there (`Store.take_engine`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from fairlead.engines import Batch, Contents, FeedEvent, Leader
from fairlead.errors import DeposedError

__all__ = ["AwaitedEngine"]


class AwaitedEngine:
    """A `SharedEngine` that cannot do anything yet."""

    name = "etcd"
    place = "an etcd that is not there yet"
    batch_rows = 0
    lease_until = 0.0

    async def load(self) -> Contents:
        raise DeposedError(f"there is no {self.name} yet")

    async def commit(self, batch: Batch) -> None:
        raise DeposedError("No cluster leader")

    async def replace(self, contents: Contents) -> None:
        raise DeposedError("No cluster leader")

    async def feed(self) -> AsyncIterator[FeedEvent]:
        raise DeposedError("No cluster leader")
        yield

    def stand(self, candidate: Leader) -> None:
        pass

    async def stand_down(self) -> None:
        pass

    async def depose(self, leader: Leader) -> None:
        pass

    async def barrier(self) -> None:
        raise DeposedError("No cluster leader")

    async def close(self) -> None:
        pass

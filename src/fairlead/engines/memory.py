"""The engine that keeps nothing: for `agent -dev` and for tests."""

from __future__ import annotations

from fairlead.engines import Batch, Contents, Engine

__all__ = ["MemoryEngine", "open"]


class MemoryEngine:
    """Says yes at once; what it is told lives in the state alone."""

    name = "memory"
    batch_rows = 0
    place = "memory"

    async def load(self) -> Contents:
        return Contents(0, ())

    async def commit(self, batch: Batch) -> None:
        return None

    async def replace(self, contents: Contents) -> None:
        return None

    async def close(self) -> None:
        return None


def open(address: str) -> Engine:
    """A new, empty engine; the address is ignored."""
    return MemoryEngine()

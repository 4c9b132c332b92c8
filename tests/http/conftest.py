"""A whole HTTP edge in the test's own loop, on a real socket, with a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.http.edge import Edge, edge_of


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    async with edge_of() as edge:
        yield edge

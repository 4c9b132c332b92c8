"""A server that agents can link to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agent.cluster.linked import Hub, hub_of


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with hub_of() as hub:
        yield hub

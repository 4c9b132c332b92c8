"""/v1/snapshot: save the whole state as an archive, and restore one."""

from __future__ import annotations

import asyncio

from fairlead.agent import archive
from fairlead.agent.agent import Agent
from fairlead.http.contracts import BodyLimit
from fairlead.http.messages import Request, Response, empty

__all__ = ["body_limit", "get", "put"]

_LIMIT_BYTES = 4 * 1024**3


def body_limit(agent: Agent) -> BodyLimit:
    return BodyLimit(_LIMIT_BYTES)


async def get(agent: Agent, request: Request) -> Response:
    contents = agent.store.contents()
    about = archive.About(agent.node.id, agent.server_address, agent.clock.now_ns())
    file = await asyncio.to_thread(archive.write, contents, about)
    index = max(contents.index, 1)
    return Response(content_type=b"application/x-gzip", index=index, stream=file)


async def put(agent: Agent, request: Request) -> Response:
    contents = await asyncio.to_thread(archive.read, request.body)
    await agent.restore(contents)
    return empty()

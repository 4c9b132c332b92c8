"""The registry as an agent without a store reaches it: over its link."""

from __future__ import annotations

import asyncio
from typing import Any

from fairlead import errors
from fairlead.agent.cluster import frames
from fairlead.agent.cluster.link import Link
from fairlead.agent.registry import NodeContents
from fairlead.core.commands import Command
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["LinkRegistry"]

_ERRORS = {name: getattr(errors, name) for name in errors.__all__}


class LinkRegistry:
    """A `Registry` that a server has."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def submit(self, command: Command) -> Any:
        """As `Registry.submit`; a row in the answer comes as a map."""
        kind, body = type(command).__name__, frames.encode_value(command)
        return await self._ask(lambda call: frames.Submit(call, kind, body), is_read=False)

    async def contents(self, node: str) -> NodeContents:
        contents: NodeContents = await self._ask(
            lambda call: frames.Fetch(call, node), is_read=True, kind=NodeContents
        )
        return contents

    def changed(self, node: str) -> asyncio.Future[None]:
        """As `Registry.changed`; a link that broke may have hidden a change."""
        return asyncio.ensure_future(self._changed(node))

    async def _changed(self, node: str) -> None:
        if self._link.is_up:
            try:
                await self._link.call(lambda call: frames.Attend(call, node), is_read=False)
            except UnavailableError:
                pass
            else:
                return
        await self._link.wait_up()

    async def _ask(self, frame: Any, *, is_read: bool, kind: Any = Any) -> Any:
        answer = await self._link.call(frame, is_read=is_read)
        if isinstance(answer, frames.Failed):
            error: FairleadError = _ERRORS.get(answer.kind, FairleadError)(answer.text)
            raise error
        return frames.decode_value(answer.value, kind)

"""`start_join_wan` and `retry_join_wan`: the datacenters an operator names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from fairlead.agent.cluster.addresses import JoinError
from fairlead.agent.cluster.wan.wan import Wan
from fairlead.durations import SECOND_NS
from fairlead.settings.settings import Settings

__all__ = ["keep_joining"]

log = logging.getLogger("agent.wan")


async def keep_joining(wan: Wan, settings: Settings, fail: Callable[[str], None]) -> None:
    """Try every address of `retry_join_wan` until each has answered once; `fail` ends the agent."""
    left = list(settings.retry_join_wan)
    tries = 0
    while left:
        for address in list(left):
            try:
                await wan.join(address)
                left.remove(address)
            except JoinError as error:
                log.warning("(WAN) not joined: %s", error)
        tries += 1
        nobody = len(left) == len(settings.retry_join_wan)
        if nobody and settings.retry_max_wan and tries >= settings.retry_max_wan:
            fail("(WAN) max join retry exhausted, exiting")
            return
        if left:
            await asyncio.sleep(settings.retry_interval_wan / SECOND_NS)

"""Where else a prepared query looks when nothing here is well: other datacenters, in order.

The nearest ones first (`NearestN`), then those it names (`Datacenters`). The
first that finds something ends it; one that cannot be reached is passed over.
Source: Consul's page "Prepared Queries" and 1.8.7 as observed.
"""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.wan.wan import Wan
from fairlead.core.health import Instance
from fairlead.core.rows import QueryRow
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["Elsewhere", "candidates", "fail_over", "has_failover"]

log = logging.getLogger("agent.wan")

_PATIENCE_S = 5.0
"""A datacenter that says nothing for so long is passed over."""
_DOWN_S = 1.0
"""And one that cannot be reached: it may come back, but whoever asks wants an answer."""


class Elsewhere(NamedTuple):
    """What was found, where, and how many datacenters were asked."""

    datacenter: str
    instances: list[Instance]
    failovers: int


def has_failover(query: QueryRow) -> bool:
    """Whether it looks elsewhere at all."""
    failover = query.service.failover
    return failover.nearest_n > 0 or bool(failover.datacenters)


def candidates(query: QueryRow, others: list[str]) -> list[str]:
    """The datacenters to ask, of the `others` there are, which come nearest first."""
    failover = query.service.failover
    nearest = others[: failover.nearest_n]
    named = [name for name in failover.datacenters or () if name in others]
    return [*nearest, *(name for name in named if name not in nearest)]


async def fail_over(
    wan: Wan, query: QueryRow, own: str, *, limit: int = 0, connect: bool = False
) -> Elsewhere:
    """What the first datacenter has that has anything; else what the last one said."""
    found = Elsewhere(own, [], 0)
    for count, datacenter in enumerate(candidates(query, wan.datacenters()[1:]), 1):
        found = found._replace(failovers=count)
        try:
            instances = await _ask(wan, datacenter, query, limit, connect=connect)
        except (FairleadError, TimeoutError) as error:
            why = str(error) or "it does not answer"
            log.warning("a query cannot be asked: datacenter=%s why=%s", datacenter, why)
            continue
        found = Elsewhere(datacenter, instances, count)
        if instances:
            break
    return found


async def _ask(
    wan: Wan, datacenter: str, query: QueryRow, limit: int, *, connect: bool
) -> list[Instance]:
    path = wan.path(datacenter)
    async with asyncio.timeout(_PATIENCE_S if path.is_up else _DOWN_S):
        answer = await path.call(
            lambda call: frames.Execute(call, query, limit, connect), is_read=True
        )
    if isinstance(answer, frames.Failed):
        raise UnavailableError(answer.text)
    instances: list[Instance] = frames.decode_value(answer.value, list[Instance])
    return instances

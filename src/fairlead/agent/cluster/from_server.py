"""What a server that follows asks of the one that leads, besides what any agent asks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol

from fairlead.agent.cluster import frames
from fairlead.core.keys import node_key
from fairlead.errors import ConflictError, DeposedError
from fairlead.store import NO_LEADER

if TYPE_CHECKING:
    from fairlead.agent.cluster.links import Links

__all__ = ["handlers"]


class _Served(Protocol):
    """The link, as these handlers need it."""

    def send(self, frame: frames.Frame) -> None: ...

    def start(self, work: Coroutine[Any, Any, None]) -> None: ...

    async def answer(self, call: int, work: Coroutine[Any, Any, Any]) -> None: ...


def handlers(served: _Served, links: Links) -> dict[type, Callable[[Any], None]]:
    """The handler of each of these frames."""

    def confirm(frame: frames.Confirm) -> None:
        store = links.store
        if store.may_answer and not frame.quorum and store.state.index >= frame.seen:
            # Most are, and it is all that reads at followers cost the leader.
            served.send(frames.Result(frame.id, frames.encode_value(store.state.index)))
            return
        served.start(served.answer(frame.id, _index(links, frame)))

    def enlist(frame: frames.Enlist) -> None:
        served.start(served.answer(frame.id, _enlist(links, frame)))

    def depart(frame: frames.Depart) -> None:
        served.start(served.answer(frame.id, _depart(links, frame.name)))

    def report(frame: frames.Report) -> None:
        if links.store.leads:
            for key in frame.heard:
                links.membership.beat(key)
            for key in frame.broke:
                links.membership.broke(key)

    return {
        frames.Confirm: confirm,
        frames.Enlist: enlist,
        frames.Depart: depart,
        frames.Report: report,
    }


async def _index(links: Links, frame: frames.Confirm) -> int:
    if links.leadership is None:
        return links.store.state.index
    return await links.leadership.own_index(quorum=frame.quorum, seen=frame.seen)


async def _enlist(links: Links, frame: frames.Enlist) -> None:
    _check_lead(links)
    conflict = links.conflict(frame.node)
    if conflict:
        raise ConflictError(conflict)
    # An older link to this server is dead: the agent has one elsewhere.
    old = links.by_name.pop(node_key(frame.node.node), None)
    if old is not None:
        old.replaced()
    await links.membership.join(frame.node, frame.member)


async def _depart(links: Links, name: str) -> None:
    _check_lead(links)
    links.positions.forget(name)
    await links.membership.leave(name)


def _check_lead(links: Links) -> None:
    if not links.store.leads:
        raise DeposedError(NO_LEADER)

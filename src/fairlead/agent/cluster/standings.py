"""How the servers that follow keep up, as the one that leads hears it in their heartbeats."""

from __future__ import annotations

from msgspec import Struct, structs

from fairlead.clock import Clock

__all__ = ["Standing", "Standings"]


class Standing(Struct, frozen=True):
    """One server's; it is `linked` as long as its link to this one holds.

    `behind` is how much it had not yet, at its last beat, of what this server had at the beat
    before: what was committed in between may well be on its way.
    """

    index: int
    behind: int
    heard_ns: int
    linked: bool
    since_ns: int
    """Since when it is linked, or not; by the wall clock."""
    leaders: int = 0
    """This server's index at that beat."""


class Standings:
    """Of all that have been heard of."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_node: dict[str, Standing] = {}

    def beat(self, node: str, index: int, leaders: int) -> None:
        """The server of that node has `index` where this one has `leaders`."""
        old = self._by_node.get(node)
        linked = old is not None and old.linked
        since = old.since_ns if old is not None and linked else self._clock.now_ns()
        before = old.leaders if old is not None and linked else 0
        self._by_node[node] = Standing(
            index, max(before - index, 0), self._clock.monotonic_ns(), True, since, leaders
        )

    def left(self, node: str) -> None:
        """Its link is no more."""
        old = self._by_node.get(node)
        if old is not None and old.linked:
            now = self._clock.now_ns()
            self._by_node[node] = structs.replace(old, linked=False, since_ns=now)

    def get(self, node: str) -> Standing | None:
        """None of one that was never heard of here."""
        return self._by_node.get(node)

    def silence_ns(self, standing: Standing) -> int:
        """How long it was not heard of."""
        return self._clock.monotonic_ns() - standing.heard_ns

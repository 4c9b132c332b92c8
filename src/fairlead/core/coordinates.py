"""Network coordinates: where nodes stand, and how far apart they are.

The round trip between two nodes is estimated as the distance of their vectors
plus both heights, adjusted by both adjustments while the sum stays positive.
Source: Vivaldi (Dabek et al., 2004) and Consul's page "Network Coordinates".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from fairlead.core.commands import CoordinatesUpdate
from fairlead.core.draft import Draft
from fairlead.core.keys import node_key
from fairlead.core.reads import Read, Watch
from fairlead.core.rows import CoordinateRow, Position
from fairlead.core.state import State

__all__ = [
    "DIMENSIONS",
    "distance_s",
    "read_coordinates",
    "read_node_coordinate",
    "sort_by_distance",
    "update",
]

DIMENSIONS = 8
_FAR = float("inf")
T = TypeVar("T")


def distance_s(a: Position, b: Position) -> float:
    """The estimated round trip, in seconds.

    >>> here = Position([0.0] * 8, 1.5, 0.0, 0.01)
    >>> there = Position([0.03, 0.04, 0, 0, 0, 0, 0, 0], 1.5, 0.0, 0.02)
    >>> round(distance_s(here, there), 3)
    0.08
    """
    square = sum((x - y) ** 2 for x, y in zip(a.vec, b.vec, strict=True))
    distance: float = square**0.5 + a.height + b.height
    adjusted = distance + a.adjustment + b.adjustment
    return adjusted if adjusted > 0 else distance


def sort_by_distance(
    state: State, near: str, items: Iterable[T], node_of: Callable[[T], str]
) -> list[T]:
    """`items` from the nearest to `near` on; the order stays where nothing is known."""
    rows = state.coordinates.rows
    here = rows.get(node_key(near))
    if here is None:
        return list(items)

    def far(item: T) -> float:
        row = rows.get(node_key(node_of(item)))
        return distance_s(here.coord, row.coord) if row is not None else _FAR

    return sorted(items, key=far)


def update(draft: Draft, command: CoordinatesUpdate) -> int:
    """How many were taken over."""
    taken = 0
    for row in command.coordinates:
        key = node_key(row.node)
        if draft.nodes.get(key) is not None and draft.coordinates.get(key) != row:
            draft.coordinates.put(key, row)
            taken += 1
    return taken


def read_coordinates(state: State) -> Read:
    """Those of all nodes, by name."""
    return Read(
        state.coordinates.scan(""), state.floor(state.coordinates.index), (Watch("coordinates"),)
    )


def read_node_coordinate(state: State, node: str) -> Read:
    """A list of the one of a node, empty when none is known."""
    key = node_key(node)
    row: CoordinateRow | None = state.coordinates.rows.get(key)
    watches = (Watch("coordinates", key, False),)
    return Read([] if row is None else [row], state.floor(state.coordinates.index), watches)

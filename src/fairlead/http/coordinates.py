"""/v1/coordinate: where nodes stand in the network.

Source: Consul's page "Coordinate HTTP Endpoint"; texts as observed on 1.8.7.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fairlead.agent.agent import Agent
from fairlead.core import coordinates
from fairlead.core.commands import CoordinatesUpdate
from fairlead.core.rows import CoordinateRow, Position
from fairlead.errors import InvalidError
from fairlead.http.api import Found
from fairlead.http.catalog_reads import node_meta
from fairlead.http.decoding import decode_struct
from fairlead.http.messages import Request, Response, empty, json_response
from fairlead.http.remote import wan_of

__all__ = ["datacenters", "node", "nodes", "update"]

_NODE = len("/v1/coordinate/node/")


class _Coord(Struct):
    vec: list[float] = []
    error: float = 0.0
    adjustment: float = 0.0
    height: float = 0.0


class _Update(Struct):
    node: str = ""
    segment: str = ""
    coord: _Coord | None = None


def datacenters(agent: Agent, request: Request) -> Response:
    """Every datacenter with its servers, and where they stand among those of all."""
    found = wan_of(agent).coordinates()
    return json_response(
        [
            {"Datacenter": name, "AreaID": "wan", "Coordinates": found[name]}
            for name in sorted(found)
        ]
    )


def nodes(agent: Agent, request: Request) -> Found:
    state = agent.store.state
    read = coordinates.read_coordinates(state)
    meta = node_meta(request.query)
    if meta:
        rows = state.nodes.rows
        value = [
            row
            for row in read.value
            if (found := rows.get(row.node.lower())) is not None
            and all((found.meta or {}).get(name) == wanted for name, wanted in meta.items())
        ]
        read = type(read)(value, read.index, read.watches)
    return Found(read, json_response)


def node(agent: Agent, request: Request) -> Found | Response:
    read = coordinates.read_node_coordinate(agent.store.state, request.path[_NODE:])
    return Found(read, json_response) if read.value else empty(404)


async def update(agent: Agent, request: Request) -> Response:
    given = decode_struct(request.body, _Update, {})
    if given.coord is None:
        raise InvalidError("Request decode failed: field Coord is missing")
    if len(given.coord.vec) != coordinates.DIMENSIONS:
        raise InvalidError("incompatible coordinate")
    numbers: list[Any] = [*given.coord.vec, given.coord.error, given.coord.height]
    if any(number != number or abs(number) == float("inf") for number in numbers):
        raise InvalidError("invalid coordinate")
    coord = given.coord
    position = Position(coord.vec, coord.error, coord.adjustment, coord.height)
    row = CoordinateRow(given.node, given.segment, position)
    await agent.store.submit(CoordinatesUpdate([row]))
    return empty()

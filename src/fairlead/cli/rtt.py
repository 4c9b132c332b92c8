"""`fairlead rtt`: how far two nodes are from each other, by their coordinates.

Source: the Vivaldi coordinates of Consul's library Serf, and its page "Coordinates".
"""

from __future__ import annotations

import math
from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import switch, verb
from fairlead.client import Client
from fairlead.errors import InvalidError

__all__ = ["command"]

_MS = 1000.0
_Coordinate = dict[str, Any]


@verb("rtt", examples="fairlead rtt n1 n2\nfairlead rtt n2\nfairlead rtt -wan n1.dc1 n2.dc2")
@switch("-wan", help="Between servers of datacenters: NODE.DATACENTER.")
@click.argument("nodes", nargs=-1, type=click.UNPROCESSED, metavar="NODE [NODE]")
@api_flags
def command(client: Client, nodes: tuple[str, ...], wan: bool) -> None:
    """Estimate the round trip between two nodes, or from the agent's own to one."""
    if len(nodes) not in (1, 2):
        raise click.UsageError(
            "One or two node names must be specified", click.get_current_context()
        )
    first, second = nodes if len(nodes) == 2 else (nodes[0], _own(client, wan))
    if wan:
        _check_names(first, second)
    with explained("Error getting coordinates"):
        known = _wan(client) if wan else _lan(client)
    ends = []
    for name in (first, second):
        key = name.lower() if wan else name
        if key not in known:
            raise InvalidError(f'Could not find a coordinate for node "{name}"')
        ends.append(known[key])
    area = "WAN" if wan else "LAN"
    print(f"Estimated {first} <-> {second} rtt: {_ms(*ends):.3f} ms (using {area} coordinates)")


def _own(client: Client, wan: bool) -> str:
    with explained("Unable to look up agent info"):
        config = client.get("/v1/agent/self").field("Config")
    name: str = config["NodeName"]
    return f"{name}.{config['Datacenter']}" if wan else name


def _check_names(*names: str) -> None:
    if any(name.count(".") != 1 for name in names):
        text = "Node names must be specified as <node name>.<datacenter> with -wan"
        raise click.UsageError(text, click.get_current_context())


def _lan(client: Client) -> dict[str, _Coordinate]:
    rows = client.get("/v1/coordinate/nodes").objects()
    return {row["Node"]: row["Coord"] for row in rows}


def _wan(client: Client) -> dict[str, _Coordinate]:
    return {
        f"{row['Node']}.{datacenter['Datacenter']}".lower(): row["Coord"]
        for datacenter in client.get("/v1/coordinate/datacenters").objects()
        for row in datacenter["Coordinates"] or ()
    }


def _ms(one: _Coordinate, other: _Coordinate) -> float:
    distance_s = math.dist(one["Vec"], other["Vec"]) + one["Height"] + other["Height"]
    adjusted_s: float = distance_s + one["Adjustment"] + other["Adjustment"]
    return (adjusted_s if adjusted_s > 0 else distance_s) * _MS

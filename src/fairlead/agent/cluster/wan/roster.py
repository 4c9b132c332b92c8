"""The servers of all datacenters: what this one tells of them, and makes of what it is told.

A datacenter is believed what it says of its own servers. Of those of a third
one it is heard only that they are there, or that one which had failed has left.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from fairlead.agent.cluster.identity import wan_member
from fairlead.core.commands import Command, WanRemove, WanSet
from fairlead.core.keys import node_key
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import MemberRow, NodeRow
from fairlead.core.state import State
from fairlead.core.wan import datacenter_of, servers_of
from fairlead.settings.settings import Settings

__all__ = ["address_of", "everybody", "failures", "learned", "own_servers"]

_SERVER = "consul"
_WAN_PORT = "8302"
_OF_THE_LAN = ("wan_join_port", "wan_addr")


def address_of(row: MemberRow) -> str:
    """Where it takes servers of other datacenters in."""
    return f"[{row.addr}]:{row.port}" if ":" in row.addr else f"{row.addr}:{row.port}"


def own_servers(state: State, settings: Settings, node: NodeRow) -> list[MemberRow]:
    """The servers of this datacenter, this one first."""
    own = wan_member(settings, node)
    others = [
        _of_member(row, settings.datacenter)
        for key, row in sorted(state.members.rows.items())
        if row.tags.get("role") == _SERVER and key != node_key(node.node)
    ]
    return [own, *others]


def _of_member(row: MemberRow, datacenter: str) -> MemberRow:
    port = row.tags.get("wan_join_port", _WAN_PORT)
    tags = {name: value for name, value in row.tags.items() if name not in _OF_THE_LAN}
    return MemberRow(
        f"{row.name}.{datacenter}",
        row.tags.get("wan_addr", row.addr),
        int(port) if port.isdecimal() else int(_WAN_PORT),
        tags,
        row.status,
    )


def everybody(state: State, settings: Settings, node: NodeRow) -> list[MemberRow]:
    """Every server that is known, by name."""
    rows = {node_key(row.name): row for row in own_servers(state, settings, node)}
    rows.update(state.wan_servers.rows)
    return [rows[key] for key in sorted(rows)]


def learned(state: State, own: str, teller: str, told: Iterable[MemberRow]) -> list[Command]:
    """What changes when a server of datacenter `teller` says whom it knows."""
    known = state.wan_servers.rows
    commands: list[Command] = []
    named = set()
    for row in told:
        datacenter, key = datacenter_of(row.name), node_key(row.name)
        if datacenter in ("", own):
            continue
        old = known.get(key)
        if datacenter == teller:
            named.add(key)
            if old != row:
                commands.append(WanSet(row))
        elif old is None:
            if row.status == ALIVE:
                commands.append(WanSet(row))
        elif old.status == FAILED and row.status == LEFT:
            commands.append(WanSet(structs.replace(old, status=LEFT)))
    gone = [row for row in servers_of(state, teller) if node_key(row.name) not in named]
    return [*commands, *(WanRemove(row.name) for row in gone)]


def failures(state: State, datacenter: str) -> list[Command]:
    """What changes when no server of a datacenter can be reached."""
    return [
        WanSet(structs.replace(row, status=FAILED))
        for row in servers_of(state, datacenter)
        if row.status == ALIVE
    ]

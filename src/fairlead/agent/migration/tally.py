"""Counting and comparing states: how many rows a table has, and a checksum over them.

What servers write about themselves is left out: it is not moved, and where
servers run theirs is there.

Rule: pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from typing import Any

from msgspec import Struct

from fairlead.agent.cluster.identity import is_server
from fairlead.agent.server_rows import server_nodes, servers_own
from fairlead.core import codec
from fairlead.core.state import RESTORED, State

__all__ = ["Tally", "data_in", "differences", "tallies", "without_servers"]

_DATA = ("kv", "sessions", "queries", "events", "nodes", "services", "checks", "members")
_OF_NODES = ("nodes", "services", "checks", "coordinates")


class Tally(Struct, frozen=True, rename="pascal"):
    """How many rows, and the SHA-256 of their keys and JSON, in the order of the keys."""

    rows: int
    sha256: str = ""


def without_servers(state: State) -> int:
    """Forget the servers themselves; how many rows that were. Their nodes stay, for others may
    have sessions and services there.
    """
    servers = [key for key, member in state.members.rows.items() if is_server(member)]
    state.members.delete_many(servers)
    others = list(state.wan_servers.rows)
    state.wan_servers.delete_many(others)
    return len(servers) + len(others)


def data_in(state: State) -> dict[str, int]:
    """By table, how many rows there are of what a server alone would not have."""
    own = servers_own(server_nodes(state))
    found = {}
    for name in _DATA:
        rows = state.tables[name].rows
        count = sum(
            (name, key) not in own and not (name == "members" and is_server(row))
            for key, row in rows.items()
        )
        if count:
            found[name] = count
    return found


def tallies(state: State, running: Collection[str]) -> dict[str, Tally]:
    """Every table's; `running` are the nodes of servers that run there and go on writing."""
    return {name: _tally(_rows(state, name, running)) for name in state.tables}


def differences(source: State, target: State, running: Collection[str]) -> dict[str, list[str]]:
    """By table, the keys whose rows are not the same, or are in one of them alone."""
    found = {}
    for name in source.tables:
        ours, theirs = dict(_rows(source, name, running)), dict(_rows(target, name, running))
        keys = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
        if keys:
            found[name] = sorted(keys)
    return found


def _tally(rows: Iterator[tuple[str, Any]]) -> Tally:
    digest, count = hashlib.sha256(), 0
    for key, row in rows:
        digest.update(codec.encode_json((key, row)))
        count += 1
    return Tally(count, digest.hexdigest())


def _rows(state: State, name: str, running: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The rows that were moved, in the order of their keys."""
    if name == "wan_servers" or (name == "service_indexes" and running):
        return
    table = state.tables[name]
    for key in table.keys:
        row = table.rows[key]
        if name == "marks" and key == RESTORED:
            continue
        if name == "members" and is_server(row):
            continue
        if running and name in _OF_NODES and key.partition("\t")[0] in running:
            continue
        yield key, row

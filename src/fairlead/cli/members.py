"""`fairlead members`."""

from __future__ import annotations

from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import explained, joined_pairs, table
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client
from fairlead.core.patterns import compile_pattern
from fairlead.errors import InvalidError

__all__ = ["command"]

_STATUSES = ("none", "alive", "leaving", "left", "failed")
_NO_MEMBER = 2
_ALL = "_all"


@verb(
    "members",
    examples="fairlead members\nfairlead members -detailed\nfairlead members -status=failed",
)
@switch("-detailed", help="With all tags of each.")
@option("-status", help="Only those whose status matches.", default="", metavar="REGEX")
@switch("-wan", help="Those of the pool of servers of all datacenters.")
@option("-segment", help="Taken from Consul Enterprise.", default=_ALL, metavar="NAME")
@api_flags
def command(client: Client, detailed: bool, status: str, wan: bool, segment: str) -> int:
    """List the agents of the cluster and how they are; exit 2 when there is none."""
    try:
        is_wanted = compile_pattern(status)
    except InvalidError as error:
        text = f"Failed to compile status regexp: {error}"
        raise click.UsageError(text, click.get_current_context()) from error
    with explained("Error retrieving members"):
        params = {"segment": segment, "wan": "1" if wan else None}
        found = client.get("/v1/agent/members", **params).objects()
    members = [member for member in found if is_wanted(_status(member))]
    if not members:
        return _NO_MEMBER
    for member in members:
        _name_segment(member["Tags"], segment)
    members.sort(key=lambda member: (member["Name"], member["Tags"]["segment"]))
    print(table([_DETAILS, *map(_details, members)] if detailed else [_HEAD, *map(_row, members)]))
    return 0


_HEAD = ("Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Segment")
_DETAILS = ("Node", "Address", "Status", "Tags")


def _status(member: dict[str, Any]) -> str:
    status: int = member["Status"]
    return _STATUSES[status] if status in range(len(_STATUSES)) else "unknown"


def _name_segment(tags: dict[str, str], segment: str) -> None:
    if not tags.get("segment"):
        tags["segment"] = "<default>"
    if tags.get("role") == "consul" and segment == _ALL:
        tags["segment"] = "<all>"


def _address(member: dict[str, Any]) -> str:
    host = member["Addr"]
    return f"[{host}]:{member['Port']}" if ":" in host else f"{host}:{member['Port']}"


def _row(member: dict[str, Any]) -> tuple[str, ...]:
    tags = member["Tags"]
    kind = {"consul": "server", "node": "client"}.get(tags.get("role", ""), "unknown")
    if kind == "unknown":
        return (member["Name"], _address(member), _status(member), kind, "", "", "", "")
    build = tags.get("build", "").partition(":")[0] or "< 0.3"
    more = (build, tags.get("vsn", ""), tags.get("dc", ""), tags["segment"])
    return (member["Name"], _address(member), _status(member), kind, *more)


def _details(member: dict[str, Any]) -> tuple[str, ...]:
    tags = joined_pairs(member["Tags"], ",")
    return (member["Name"], _address(member), _status(member), tags)

"""`fairlead health`: what does not pass its checks, and why."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from difflib import get_close_matches
from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import complain, dump_json, explained, style, table, warn
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client
from fairlead.errors import FairleadError, NotFoundError

__all__ = ["command"]

_HEAD = ("Node", "Service", "Check", "Status", "Output")
_COLOURS = {"critical": "red", "warning": "yellow", "passing": "green"}
_ORDER = {"critical": 0, "warning": 1}
_NOT_WELL = 2
_RETRY_S = 5.0
_FORMATS = ("table", "json")

_Check = dict[str, Any]


@verb(
    "health",
    examples="""
fairlead health
fairlead health -service=web
fairlead health --watch
fairlead health -format=json | jq -r '.[].Node'
""",
)
@option(
    "-service",
    help="Only what concerns this service: its checks and those of its nodes.",
    default="",
    metavar="NAME",
)
@option("-node", help="Only the checks on this node.", default="", metavar="NODE")
@switch("-watch", help="Go on, and print every change.")
@option("-format", help="table or json.", default="table", metavar="FORMAT")
@api_flags
def command(client: Client, service: str, node: str, watch: bool, format: str) -> int:
    """List every check that does not pass, with what it said; exit 2 when there is one, else 0.

    A service or node that is not registered is an error, exit 1; with -watch it is awaited.
    """
    if format not in _FORMATS:
        raise click.UsageError(
            f'-format must be table or json, not "{format}"', click.get_current_context()
        )
    if service and node:
        raise click.UsageError(
            "Only one of -service and -node may be provided", click.get_current_context()
        )
    path = "/v1/health/state/any"
    if service:
        path = f"/v1/health/service/{service}"
    elif node:
        path = f"/v1/health/node/{node}"
    with explained("Error reading health"):
        reply = client.get(path)
        rows = reply.objects()
        unknown = "" if rows else _unknown(client, service, node)
    if unknown and not watch:
        raise NotFoundError(unknown)
    if unknown:
        warn(unknown)
    checks = _checks_in(rows)
    _print(checks, format)
    if watch:
        _follow(client, path, format, checks, reply.index)
    return _NOT_WELL if _not_passing(checks) else 0


def _unknown(client: Client, service: str, node: str) -> str:
    """That there is nothing of that name, and what is called nearly so; empty if there is."""
    if service:
        name, kind, known = service, "service", list(client.get("/v1/catalog/services").object())
    elif node:
        name, kind = node, "node"
        known = [row["Node"] for row in client.get("/v1/catalog/nodes").objects()]
    else:
        return ""
    # The agent minds no case either.
    by_lower = {one.lower(): one for one in known}
    if name.lower() in by_lower:
        return ""
    near = [f'"{by_lower[one]}"' for one in get_close_matches(name.lower(), by_lower)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f'no {kind} "{name}" is registered{hint}'


def _checks_in(rows: list[dict[str, Any]]) -> list[_Check]:
    """Each check once, of rows that are checks, or instances with all that concern them."""
    checks = (check for row in rows for check in row.get("Checks", [row]))
    return list({(check["Node"], check["CheckID"]): check for check in checks}.values())


def _not_passing(checks: list[_Check]) -> list[_Check]:
    """The worst first."""
    found = [check for check in checks if check["Status"] != "passing"]
    return sorted(found, key=lambda check: (_ORDER.get(check["Status"], 2), *_row(check)))


def _print(checks: list[_Check], format: str) -> None:
    bad = _not_passing(checks)
    if format == "json":
        print(dump_json(bad))
        return
    if bad:
        head, *lines = table([_HEAD, *map(_row, bad)]).split("\n")
        print(style(head, "bold", sys.stdout))
        for check, line in zip(bad, lines, strict=True):
            print(style(line, _COLOURS.get(check["Status"], "dim"), sys.stdout))
        print()
    print(_summary(checks, bad))


def _row(check: _Check) -> tuple[str, ...]:
    """A check in one line: of what it said the first line; of maintenance, why."""
    said = (check["Output"] or check["Notes"]).strip()
    first = said.partition("\n")[0].rstrip()
    name = check["ServiceID"] or check["ServiceName"] or "-"
    return (check["Node"], name, check["Name"], check["Status"], first)


def _summary(checks: list[_Check], bad: list[_Check]) -> str:
    """
    >>> _summary([{}] * 3, [])
    'All 3 checks pass.'
    >>> _summary([{}] * 3, [{"Status": "warning"}])
    '1 of 3 checks does not pass: 1 warning.'
    """
    if not checks:
        return "There are no checks."
    if not bad:
        return f"All {len(checks)} checks pass." if len(checks) > 1 else "The only check passes."
    counted = Counter(check["Status"] for check in bad)
    kinds = ", ".join(f"{counted[status]} {status}" for status in sorted(counted))
    verb_ = "does" if len(bad) == 1 else "do"
    return f"{len(bad)} of {len(checks)} checks {verb_} not pass: {kinds}."


def _follow(client: Client, path: str, format: str, checks: list[_Check], index: int) -> None:
    """Print what changes, until somebody has enough."""
    sys.stdout.flush()
    while True:
        try:
            reply = client.get(path, index=index or None)
            fresh = _checks_in(reply.objects())
        except FairleadError as error:
            complain(f"reading health failed, trying again in {_RETRY_S:.0f}s: {error}")
            index = 0
            time.sleep(_RETRY_S)
            continue
        index = reply.next_index(index)
        if format == "json":
            if _not_passing(fresh) != _not_passing(checks):
                print(json.dumps(_not_passing(fresh), separators=(",", ":"), ensure_ascii=False))
        else:
            _print_changes(checks, fresh)
        sys.stdout.flush()
        checks = fresh


def _print_changes(before: list[_Check], after: list[_Check]) -> None:
    now = time.strftime("%H:%M:%S")
    old, new = _statuses(before), _statuses(after)
    for key in sorted(old.keys() | new.keys()):
        was = old[key]["Status"] if key in old else "new"
        check = new.get(key, old.get(key))
        status = new[key]["Status"] if key in new else "gone"
        if was == status or check is None:
            continue
        node, service, name, _, said = _row(check)
        line = f"{now}  {node}  {service}  {name}  {was} -> {status}  {said}".rstrip()
        print(style(line, _COLOURS.get(status, "dim"), sys.stdout))


def _statuses(checks: list[_Check]) -> dict[tuple[str, str], _Check]:
    return {(check["Node"], check["CheckID"]): check for check in checks}

"""`fairlead operator migrate`: move the whole state to another engine, or into a cluster."""

from __future__ import annotations

import asyncio
import os
import sys

import click
import msgspec

from fairlead.agent.migration.migrate import Report, migrate
from fairlead.cli.api import client_of
from fairlead.cli.output import dump_json, table, warn
from fairlead.cli.verbs import option, switch, verb
from fairlead.client import Client

__all__ = ["command"]

_DIGITS = 16
_EXAMPLES = """\
fairlead operator migrate /var/lib/fairlead http://10.0.0.1:8500
    from the data of a stopped server into a cluster that runs
fairlead operator migrate http://10.0.0.1:8500 /var/lib/single
    and back, into the data directory of a single server
fairlead operator migrate /var/lib/fairlead 'etcd:10.0.0.1:2379,10.0.0.2:2379'
fairlead operator migrate backup.snap sqlite:/var/lib/fairlead/fairlead.db"""


@verb("migrate", examples=_EXAMPLES)
@click.argument("places", nargs=-1, metavar="FROM TO")
@switch("-force", help="Replace what is at TO.")
@option("-format", help="pretty or json.", default="pretty", metavar="FORMAT")
def command(places: tuple[str, ...], force: bool, format: str) -> None:
    """Move the whole state from FROM to TO, and compare both.

    Each is a data directory of a single server that is stopped, sqlite:PATH, etcd:HOST:PORT,…
    (as the key `engine`), the HTTP address of an agent of a running cluster, or a snapshot.

    FROM is never changed. TO must be empty, and is changed in one step. An agent is reached with
    the token and the certificates of FAIRLEAD_HTTP_TOKEN, FAIRLEAD_CACERT and so on.
    """
    context = click.get_current_context()
    late = [place for place in places if place.startswith("-")]
    if late:
        raise click.UsageError(f"flags go before FROM and TO: {late[0]}", context)
    if len(places) != 2:
        text = f"This command takes two arguments, FROM and TO (got {len(places)})"
        raise click.UsageError(text, context)
    if format not in ("pretty", "json"):
        raise click.UsageError(f'-format is "pretty" or "json", not "{format}"', context)
    source, target = places
    moving = _Moving()
    try:
        report = asyncio.run(
            migrate(source, target, force=force, connect=_connect, progress=moving.show)
        )
    finally:
        moving.clear()
    print(dump_json(msgspec.to_builtins(report)) if format == "json" else _told(report))
    if source.startswith(("http://", "https://", "unix://")):
        sys.stdout.flush()
        warn(f"what was written at {source} after index {report.source.index} was not moved")


def _connect(address: str) -> Client:
    flags = dict.fromkeys(
        ("ca_file", "ca_path", "client_cert", "client_key", "tls_server_name", "token"), ""
    )
    more = {"http_addr": address, "token_file": "", "datacenter": "", "stale": False}
    return client_of({**flags, **more})


def _told(report: Report) -> str:
    lines = [
        ("From", report.source.name, f"index {report.source.index}"),
        ("To", report.target.name, f"index {report.target.index}"),
    ]
    rows = [
        (
            name,
            str(both.source.rows),
            str(both.target.rows),
            both.source.sha256[:_DIGITS],
            both.target.sha256[:_DIGITS],
        )
        for name, both in report.tables.items()
        if both.source.rows or both.target.rows
    ]
    head = ("Table", "Rows of FROM", "Rows of TO", "SHA-256 of FROM", "SHA-256 of TO")
    total = report.total
    notes = []
    if report.left_out:
        notes.append(f"{report.left_out} rows about the servers of FROM stay there")
    if report.running:
        names = ", ".join(report.running)
        notes.append(f"not compared: what the servers of TO write about their nodes ({names})")
    ending = f"Migrated {total.target.rows} rows; both sides are equal"
    return "\n".join([table(lines), "", table([head, *rows]), "", *notes, ending])


class _Moving:
    """A line on a terminal that says how far it is."""

    def __init__(self) -> None:
        is_dumb = os.environ.get("TERM") == "dumb"
        self._is_shown = sys.stderr.isatty() and not is_dumb
        self._has_line = False

    def show(self, what: str, rows: int) -> None:
        if self._is_shown:
            print(f"\r\033[K{what}: {rows} rows", end="", file=sys.stderr, flush=True)
            self._has_line = True

    def clear(self) -> None:
        if self._has_line:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

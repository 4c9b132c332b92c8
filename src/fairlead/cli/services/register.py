"""`fairlead services register`."""

from __future__ import annotations

import json
from typing import Any

import click

from fairlead.cli.api import api_flags, namespace_flag
from fairlead.cli.output import explained
from fairlead.cli.pairs import pairs
from fairlead.cli.services.files import services_of
from fairlead.cli.syntax import parse_number
from fairlead.cli.verbs import INT, complete_file, option, verb
from fairlead.client import Client
from fairlead.errors import InvalidError

__all__ = ["command"]


@verb(
    "register",
    examples="""
fairlead services register web.json db.hcl
fairlead services register -name=web -port=8080 -tag=blue -meta=version=2
""",
)
@option("-name", help="Name of the service.", default="", metavar="NAME")
@option("-id", help="Its id, the name by default.", default="", metavar="ID")
@option("-address", help="Its address, the node's by default.", default="", metavar="ADDRESS")
@option("-port", help="Its port.", default=0, type=INT, metavar="PORT")
@option("-tag", help="A tag.", multiple=True, metavar="TAG")
@option("-meta", help="Metadata.", multiple=True, metavar="KEY=VALUE")
@option("-tagged-address", help="An address by name.", multiple=True, metavar="NAME=HOST:PORT")
@option("-kind", help="Its kind.", default="", metavar="KIND")
@click.argument(
    "files", nargs=-1, type=click.UNPROCESSED, metavar="[FILE…]", shell_complete=complete_file
)
@namespace_flag
@api_flags
def command(client: Client, files: tuple[str, ...], **given: Any) -> None:
    """Register services with the agent: those that files define, or one by flags."""
    if not files and not given["name"]:
        fault = "Service registration requires at least one argument or flags."
        raise click.UsageError(fault, click.get_current_context())
    if files and (given["name"] or given["id"]):
        fault = "Service registration requires arguments or -id, not both."
        raise click.UsageError(fault, click.get_current_context())
    services = services_of(files) if files else [_by_flags(**given)]
    for service in services:
        name = service.get("Name", "")
        with explained(f'Error registering service "{name}"'):
            client.put("/v1/agent/service/register", json.dumps(service).encode())
        print(f"Registered service: {name}")


def _by_flags(
    name: str,
    id: str,
    address: str,
    port: int,
    tag: tuple[str, ...],
    meta: tuple[str, ...],
    tagged_address: tuple[str, ...],
    kind: str,
) -> dict[str, Any]:
    named = pairs("-tagged-address", tagged_address)
    body = {
        "ID": id,
        "Name": name,
        "Address": address,
        "Port": port,
        "Tags": list(tag),
        "Meta": pairs("-meta", meta),
        "TaggedAddresses": {key: _host_and_port(value) for key, value in named.items()},
        "Kind": kind,
    }
    return {key: value for key, value in body.items() if value}


def _host_and_port(text: str) -> dict[str, Any]:
    host, colon, port = text.rpartition(":")
    if not colon:
        raise InvalidError(f"Invalid Tagged Address: address {text}: missing port in address")
    try:
        return {"Address": host.strip("[]"), "Port": parse_number(port, signed=False)}
    except InvalidError as error:
        why = f'strconv.Atoi: parsing "{port}": invalid syntax'
        raise InvalidError(f"Invalid Tagged Address: {why}") from error

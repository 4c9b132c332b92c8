"""`fairlead operator autopilot set-config`."""

from __future__ import annotations

import json
from typing import Any

import click

from fairlead.cli import syntax
from fairlead.cli.api import api_flags
from fairlead.cli.output import explained
from fairlead.cli.verbs import DURATION, UINT, option, verb
from fairlead.client import Client
from fairlead.errors import InvalidError

__all__ = ["command"]

_PATH = "/v1/operator/autopilot/configuration"
_EXAMPLES = """\
fairlead operator autopilot set-config -cleanup-dead-servers=false
fairlead operator autopilot set-config -last-contact-threshold=1s -min-quorum=3"""


def _boolean(ctx: click.Context, param: click.Parameter, text: str | None) -> bool | None:
    if text is None:
        return None
    try:
        return syntax.parse_bool(text)
    except InvalidError as error:
        flag = param.opts[0].lstrip("-")
        raise click.UsageError(
            f'invalid boolean value "{text}" for -{flag}: {error}', ctx
        ) from error


@verb("set-config", examples=_EXAMPLES)
@option(
    "-cleanup-dead-servers",
    help="Whether a server that is lost is removed once another one has taken its place.",
    default=None,
    metavar="true|false",
    callback=_boolean,
)
@option(
    "-last-contact-threshold",
    help="How late heartbeats may be of a server that is well.",
    default=None,
    metavar="DURATION",
    type=DURATION,
)
@option(
    "-max-trailing-logs",
    help="How far its index may be behind the leader's.",
    default=None,
    metavar="N",
    type=UINT,
)
@option(
    "-min-quorum",
    help="With fewer servers than that, none is removed by itself.",
    default=None,
    metavar="N",
    type=UINT,
)
@option(
    "-server-stabilization-time",
    help="Kept, without effect.",
    default=None,
    metavar="DURATION",
    type=DURATION,
)
@option("-redundancy-zone-tag", help="Kept, without effect.", default=None, metavar="TAG")
@option(
    "-disable-upgrade-migration",
    help="Kept, without effect.",
    default=None,
    metavar="true|false",
    callback=_boolean,
)
@option("-upgrade-version-tag", help="Kept, without effect.", default=None, metavar="TAG")
@api_flags
def command(client: Client, **given: Any) -> None:
    """Change how the servers look after themselves; what is not named stays."""
    with explained("Error querying Autopilot configuration"):
        config = client.get(_PATH).object()
    for name, value in given.items():
        if value is not None:
            config["".join(part.capitalize() for part in name.split("_"))] = value
    body = json.dumps(config).encode()
    with explained("Error setting Autopilot configuration"):
        done = client.put(_PATH, body, cas=config.get("ModifyIndex", 0)).json()
        if done is not True:
            raise InvalidError("somebody else has changed it just now; try again")
    print("Configuration updated!")

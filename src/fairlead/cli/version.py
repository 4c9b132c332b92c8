"""`fairlead version`."""

from __future__ import annotations

import click

from fairlead.cli.output import dump_json
from fairlead.cli.verbs import option, verb
from fairlead.version import API_VERSION, __version__

__all__ = ["command"]

# What `consul version` says of its gossip protocol; scripts may look for it.
_RPC = {"Default": 2, "Min": 2, "Max": 3}


@verb("version", examples="fairlead version\nfairlead version -format=json")
@option(
    "-format",
    help="How to print it.",
    type=click.Choice(["pretty", "json"]),
    default="pretty",
    show_default=True,
)
@click.pass_context
def command(ctx: click.Context, format: str) -> None:
    """Print the version, and that of the Consul whose API this speaks.

    Called `consul`, it gives Consul's version first, for scripts that look for it.
    """
    as_consul = ctx.find_root().info_name == "consul"
    if format == "json":
        ours = {"Version": __version__, "Consul": API_VERSION}
        theirs = {"Version": API_VERSION, "Revision": "", "Prerelease": "", "RPC": _RPC}
        shown = {**theirs, "Fairlead": __version__} if as_consul else ours
        print(dump_json(shown, indent="   "))
        return
    if as_consul:
        print(f"Consul v{API_VERSION}")
    print(f"Fairlead v{__version__}")
    print(f"Speaks the HTTP API of Consul {API_VERSION}")

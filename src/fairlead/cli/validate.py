"""`fairlead validate`."""

from __future__ import annotations

import os

import click

from fairlead.agent.declared import declared
from fairlead.cli.output import explained, warn
from fairlead.cli.verbs import option, switch, verb
from fairlead.errors import InvalidError
from fairlead.settings import sources
from fairlead.settings.settings import build, warnings

__all__ = ["command"]


@verb(
    "validate",
    examples="fairlead validate /etc/consul.d\nfairlead validate agent.hcl web.json",
)
@option(
    "-config-format",
    help="hcl or json, when the names of the files do not say.",
    default="",
    metavar="FORMAT",
)
@switch("-quiet", help="Print nothing when all is well.")
@click.argument("paths", nargs=-1, metavar="FILE|DIR…", type=click.Path())
def command(paths: tuple[str, ...], config_format: str, quiet: bool) -> None:
    """Check configuration files as the agent would, without starting one."""
    fault = ""
    if not paths:
        fault = "Must specify at least one config file or directory"
    elif config_format not in ("", "hcl", "json"):
        fault = "-config-format must be either 'hcl' or 'json'"
    if fault:
        raise click.UsageError(fault, click.get_current_context())
    with explained("Config validation failed"):
        _check_names(paths)
        raw = sources.read_all(paths, config_format)
        settings = build(raw)
        declared(settings)
    if quiet:
        return
    for name in _skipped(paths):
        warn(f"skipping file {name}, extension must be .hcl or .json")
    for key in sources.unused_keys(raw):
        warn(f"{key} is known but has no effect yet")
    for text in warnings(settings):
        warn(text)
    print("Configuration is valid!")


def _skipped(paths: tuple[str, ...]) -> list[str]:
    """The files in folders that are no configuration by their names."""
    folders = [path for path in paths if os.path.isdir(path)]
    files = [entry for folder in folders for entry in os.scandir(folder) if entry.is_file()]
    return sorted(entry.path for entry in files if not entry.name.endswith((".hcl", ".json")))


def _check_names(paths: tuple[str, ...]) -> None:
    """Raises: InvalidError that names every path where there is nothing."""
    missing = [path for path in paths if not os.path.exists(path)]
    faults = [
        f"config: Open failed on {path}. open {path}: no such file or directory" for path in missing
    ]
    if faults:
        raise InvalidError("\n".join(faults))

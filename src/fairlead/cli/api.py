"""Flags of every verb that talks to an agent: which one, and who we are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from fairlead.cli.data import open_fault, read_file
from fairlead.cli.output import explained, warn
from fairlead.cli.verbs import complete_file, option, parameter_name, switch
from fairlead.client import Client, TLSOptions, environment, environment_switch
from fairlead.errors import InvalidError

__all__ = ["api_flags", "client_of", "namespace_flag"]

_SECTION = "Which agent to ask"
_FLAGS = {
    "-http-addr": ("ADDR", "The agent: host:port, http(s)://host:port or unix:///path."),
    "-token": ("TOKEN", "Token to send with every request."),
    "-token-file": ("FILE", "File that holds the token."),
    "-datacenter": ("DC", "Datacenter to ask, the agent's own by default."),
    "-ca-file": ("FILE", "CA certificates to check the agent's by."),
    "-ca-path": ("DIR", "Directory of CA certificates."),
    "-client-cert": ("FILE", "Certificate to show to the agent."),
    "-client-key": ("FILE", "Key of that certificate."),
    "-tls-server-name": ("NAME", "Name to expect in the agent's certificate."),
}
_NAMES = [parameter_name(flag) for flag in (*_FLAGS, "-stale")]


def api_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say which agent to talk to; the function gets `client`."""

    @functools.wraps(function)
    def run(**given: Any) -> Any:
        flags = {name: given.pop(name) for name in (*_NAMES, "namespace") if name in given}
        with explained("Error connecting to Consul agent"):
            client = client_of(flags)
        with closing(client):
            return function(client=client, **given)

    about = "Let any server answer, at the price of staleness."
    decorated = switch("-stale", help=about, section=_SECTION)(run)
    for name, (metavar, about) in reversed(_FLAGS.items()):
        complete = complete_file if metavar in ("FILE", "DIR") else None
        flag = option(
            name,
            help=about,
            default="",
            metavar=metavar,
            section=_SECTION,
            shell_complete=complete,
        )
        decorated = flag(decorated)
    return decorated


def namespace_flag(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flag that only Consul Enterprise has a use for; agents refuse what it says."""
    about = "Taken from Consul Enterprise; agents refuse any."
    return option("-namespace", help=about, default="", metavar="NAME", section=_SECTION)(function)


def client_of(flags: Mapping[str, Any]) -> Client:
    """A client as flags and, where they are silent, the environment say.

    Raises:
        InvalidError: the address, a certificate or the token file cannot be used.
    """
    for name in ("HTTP_SSL", "HTTP_SSL_VERIFY"):
        if environment_switch(name, True) != environment_switch(name, False) and environment(name):
            warn(f'CONSUL_{name} is "{environment(name)}", neither true nor false: not used')
    tls = TLSOptions(
        ca_file=flags["ca_file"] or environment("CACERT"),
        ca_path=flags["ca_path"] or environment("CAPATH"),
        client_cert=flags["client_cert"] or environment("CLIENT_CERT"),
        client_key=flags["client_key"] or environment("CLIENT_KEY"),
        server_name=flags["tls_server_name"] or environment("TLS_SERVER_NAME"),
        verify=environment_switch("HTTP_SSL_VERIFY", True),
    )
    return Client(
        flags["http_addr"],
        # The file is asked first: a token on a command line can be seen by others.
        token=_file_token(flags["token_file"]) or flags["token"],
        datacenter=flags["datacenter"],
        namespace=flags.get("namespace", ""),
        stale=flags["stale"],
        tls=tls,
    )


def _file_token(name: str) -> str:
    name = name or environment("HTTP_TOKEN_FILE")
    if not name:
        return ""
    try:
        return read_file(name).decode("utf-8", "surrogateescape").strip()
    except OSError as error:
        raise InvalidError(f"Error loading token file: {open_fault(name, error)}") from error

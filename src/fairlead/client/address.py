"""Where an agent is, as flags and environment variables say it.

Environment variables are read as `FAIRLEAD_…` first, then `CONSUL_…`.

>>> Address.parse("https://consul.example:8501")
Address(scheme='https', host='consul.example', port=8501, socket='')
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from fairlead.errors import InvalidError

__all__ = ["Address", "environment", "environment_switch"]

# Where to go without a port is what the scheme says, as in any URL and as in Consul's client.
_PORTS = {"http": 80, "https": 443}
_PORT = re.compile("[0-9]{1,5}")
_MAX_PORT = 65535
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*(%[^/]+)?")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def environment(name: str, default: str = "") -> str:
    """`FAIRLEAD_<name>`, else `CONSUL_<name>`, else `default`."""
    return os.environ.get(f"FAIRLEAD_{name}") or os.environ.get(f"CONSUL_{name}") or default


def environment_switch(name: str, default: bool) -> bool:
    """A variable that says yes or no; `default` when it is unset or says neither, as in Consul."""
    text = environment(name)
    return text in _TRUE if text in _TRUE | _FALSE else default


class Address(NamedTuple):
    """Where an agent serves HTTP; `socket` is a path, or empty."""

    scheme: str
    host: str
    port: int
    socket: str

    @classmethod
    def parse(cls, text: str, *, tls: bool = False) -> Address:
        """From `host:port`, `http://…`, `https://…` or `unix:///path`; `tls` makes it https.

        Raises:
            InvalidError: it is none of these.
        """
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "http", text
        if scheme == "unix":
            return cls("http", "localhost", 0, rest)
        if scheme not in _PORTS:
            raise InvalidError(f"Unknown protocol scheme: {scheme}")
        scheme = "https" if tls else scheme
        rest = rest.partition("/")[0]
        host, port = rest, ""
        if rest.startswith("["):
            host, _, port = rest[1:].partition("]")
            port = port.removeprefix(":")
        elif rest.count(":") == 1:
            host, _, port = rest.partition(":")
        if "@" in rest:
            hint = "Give user and password as FAIRLEAD_HTTP_AUTH=user:password."
            raise InvalidError(f'address "{text}": it may not hold a user', hint=hint)
        if ":" in host and not _IPV6.fullmatch(host):
            raise InvalidError(f'address "{text}": too many colons')
        if port and not (_PORT.fullmatch(port) and 0 < int(port) <= _MAX_PORT):
            raise InvalidError(f'address "{text}": "{port}" is not a port')
        return cls(scheme, host or "127.0.0.1", int(port or _PORTS[scheme]), "")

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """For messages: where the agent is."""
        return f"unix://{self.socket}" if self.socket else f"{self.scheme}://{self.authority}"

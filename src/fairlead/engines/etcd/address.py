"""The address of an etcd cluster: `HOST:PORT,HOST:PORT?prefix=/x/&ca_file=…`.

A host without a port has etcd's, 2379; `unix:/path` is a socket. What follows
the `?` says how to reach it (`ca_file`, `cert_file`, `key_file`, `tls`, `user`,
`password_file`), where the rows are (`prefix`), whose they are (`datacenter`,
`cluster_file`), and what that etcd takes (`max_txn_ops`, `max_request_bytes`).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct

from fairlead.errors import SettingsError

__all__ = ["OPTIONS", "Address", "TLSFiles", "read_address", "with_options"]

OPTIONS = (
    "ca_file cert_file cluster_file datacenter key_file max_request_bytes max_txn_ops"
    " password_file prefix tls user"
).split()

_PORT = 2379
_FORM = "write it as etcd:HOST:PORT,HOST:PORT?prefix=/fairlead/dc1/"


class TLSFiles(Struct, frozen=True):
    """PEM texts: whom to trust (None: what the system trusts), and what to show."""

    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None


class Address(Struct, frozen=True):
    """Where an etcd cluster is and how to use it; the limits are etcd's own defaults."""

    endpoints: tuple[str, ...]
    prefix: str = "/fairlead/dc1/"
    tls: TLSFiles | None = None
    user: str = ""
    password: str = ""
    datacenter: str = ""
    cluster_file: str = ""
    max_txn_ops: int = 128
    max_request_bytes: int = 1_572_864


def read_address(text: str) -> Address:
    """The address that stands after `etcd:`, and the files it names.

    Raises:
        SettingsError: it cannot be read, or a file of it cannot.
    """
    hosts, _, query = text.partition("?")
    endpoints = tuple(_endpoint(host.strip(), text) for host in hosts.split(","))
    options = dict(parse_qsl(query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            raise SettingsError(
                f'engine "etcd:{text}": option "{name}" is not known',
                hint=f"use one of {', '.join(OPTIONS)}",
            )
    address = Address(endpoints)
    prefix = f"/fairlead/{options['datacenter']}/" if "datacenter" in options else address.prefix
    return Address(
        endpoints,
        prefix=_prefix(options.get("prefix", prefix)),
        tls=_tls(options),
        user=options.get("user", ""),
        password=_password(options),
        datacenter=options.get("datacenter", ""),
        cluster_file=options.get("cluster_file", ""),
        max_txn_ops=_number(options, "max_txn_ops", address.max_txn_ops, 16),
        max_request_bytes=_number(options, "max_request_bytes", address.max_request_bytes, 65_536),
    )


def with_options(text: str, **options: str) -> str:
    """The same address with options that it does not give itself.

    >>> with_options("a:1?prefix=/x/", prefix="/y/", datacenter="dc1")
    'a:1?prefix=%2Fx%2F&datacenter=dc1'
    """
    hosts, _, query = text.partition("?")
    return f"{hosts}?{urlencode(options | dict(parse_qsl(query, keep_blank_values=True)))}"


def _endpoint(host: str, text: str) -> str:
    if host.startswith("unix:"):
        if not host.removeprefix("unix:").startswith("/"):
            raise SettingsError(f'engine "etcd:{text}": a socket is named by its whole path')
        return host
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, str(_PORT)
    plain = name.removeprefix("[").removesuffix("]")
    if not plain or "/" in plain or (":" in plain and name == plain):
        raise SettingsError(f'engine "etcd:{text}": "{host}" is no address', hint=_FORM)
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise SettingsError(f'engine "etcd:{text}": "{port}" is no port', hint=_FORM)
    return f"{name}:{int(port)}"


def _prefix(text: str) -> str:
    """Between slashes, so that no prefix holds another's keys by chance."""
    return f"/{text.strip('/')}/" if text.strip("/") else "/"


def _number(options: dict[str, str], name: str, default: int, least: int) -> int:
    text = options.get(name, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text[:12])):
        raise SettingsError(f'etcd engine: {name} "{text}" is no number from {least} on')
    return int(text[:12])


def _password(options: dict[str, str]) -> str:
    if "user" in options and "password_file" not in options:
        raise SettingsError("etcd engine: user needs a password_file")
    if "password_file" not in options:
        return ""
    return _read(options["password_file"], "password_file").decode().rstrip("\r\n")


def _tls(options: dict[str, str]) -> TLSFiles | None:
    names = ("ca_file", "cert_file", "key_file")
    if ("cert_file" in options) != ("key_file" in options):
        raise SettingsError("etcd engine: cert_file and key_file go together")
    if options.get("tls", "false") not in ("true", "false"):
        raise SettingsError('etcd engine: tls is "true" or "false"')
    if options.get("tls") != "true" and not any(name in options for name in names):
        return None
    ca, cert, key = (_read(options[n], n) if n in options else None for n in names)
    try:
        # gRPC finds faults in them only when it connects, and says little.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if ca is not None:
            context.load_verify_locations(options["ca_file"])
        if cert is not None:
            context.load_cert_chain(options["cert_file"], options["key_file"])
    except (ssl.SSLError, OSError) as error:
        files = ", ".join(options[name] for name in names if name in options)
        raise SettingsError(f"etcd engine: {files}: no certificates: {error}") from error
    return TLSFiles(ca, cert, key)


def _read(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingsError(f'etcd engine: {name} "{path}": {error.strerror}') from error

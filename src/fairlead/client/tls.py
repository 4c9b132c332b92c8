"""Certificates: whom a client trusts, and what it shows of itself."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from fairlead.errors import InvalidError

__all__ = ["TLSOptions", "tls_context"]


class TLSOptions(NamedTuple):
    """How the agent's certificate is checked, and which one is shown to it."""

    ca_file: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    verify: bool = True


def tls_context(tls: TLSOptions) -> ssl.SSLContext:
    """Raises: InvalidError when a certificate cannot be used."""
    if bool(tls.client_cert) != bool(tls.client_key):
        raise InvalidError("both client cert and client key must be provided")
    with _loading("CA File", tls.ca_file or tls.ca_path):
        first, *others = [tls.ca_file] if tls.ca_file else _files_in(tls.ca_path)
        context = ssl.create_default_context(cafile=first or None)
        for name in others:
            context.load_verify_locations(name)
    if tls.client_cert:
        with _loading("client cert", tls.client_cert):
            context.load_cert_chain(tls.client_cert, tls.client_key)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _files_in(folder: str) -> list[str]:
    """Every file in the folder, as Consul takes them; OpenSSL would want them named by hash."""
    names = sorted(os.listdir(folder)) if folder else [""]
    if not names:
        raise InvalidError(f"Error loading CA Path: no certificates in {folder}")
    return [os.path.join(folder, name) for name in names]


@contextmanager
def _loading(what: str, path: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        raise InvalidError(f"Error loading {what}: Couldn't parse PEM in: {path}") from error
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise InvalidError(f"Error loading {what}: open {path}: {why}") from error

"""TLS of checks: whose certificates are trusted, what is shown, and Go's words for what fails.

Certificates are read once a minute at most: to read the system's takes
milliseconds, and checks are many.
"""

from __future__ import annotations

import asyncio
import ssl

from fairlead.client import TLSOptions
from fairlead.client.tls import tls_context

__all__ = ["Contexts", "tls_words"]

_KEPT_S = 60.0
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21}
_EXPIRED = {9, 10}
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}


class Contexts:
    """The TLS contexts of all checks; `options` are the agent's own certificates, if it shows them.

    `options` are empty unless `enable_agent_tls_for_checks` is set.
    """

    def __init__(self, options: TLSOptions) -> None:
        self._options = options
        self._made: dict[tuple[bool, bool], tuple[float, ssl.SSLContext]] = {}

    def context(self, *, verify: bool, http2: bool = False) -> ssl.SSLContext:
        """Raises: InvalidError when the agent's certificates cannot be used."""
        now = asyncio.get_running_loop().time()
        made_at, context = self._made.get((verify, http2), (now, None))
        if context is None or now - made_at > _KEPT_S:
            context = tls_context(self._options._replace(verify=verify))
            context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
            self._made[verify, http2] = (now, context)
        return context


def tls_words(error: Exception, server_name: str) -> str:
    """What failed in a handshake, in Go's words where it has some."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _UNKNOWN_AUTHORITY:
            return "x509: certificate signed by unknown authority"
        if error.verify_code in _EXPIRED:
            return "x509: certificate has expired or is not yet valid"
        if "mismatch" in error.verify_message:
            return f"x509: certificate is not valid for {server_name}"
        return f"x509: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "EOF"
    if isinstance(error, ssl.SSLError):
        if error.reason in _NO_TLS:
            return "tls: first record does not look like a TLS handshake"
        return f"tls: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionError):
        return "EOF"
    return str(error)

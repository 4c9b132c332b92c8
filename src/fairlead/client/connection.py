"""One connection to an agent, over TCP, TLS or a unix socket; and why it may fail."""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
from typing import Any

from fairlead.client.address import Address

__all__ = ["Connection", "reason"]

# Go's net.Dialer in Consul's client gives up then too.
_CONNECT_S = 30.0
# A read may wait for minutes: the kernel asks whether the agent's machine is still there, at
# the pace of Go's net.Dialer. Not every system has all of these.
_KEEP_ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}


class Connection(http.client.HTTPConnection):
    """HTTP over TCP, TLS or a unix socket; the server name may be other than the host.

    With a `limit_s`, neither it nor an answer may take longer.
    """

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext | None,
        server_name: str,
        limit_s: float | None,
    ) -> None:
        super().__init__(address.host, address.port)
        self._limit_s = limit_s
        self._address = address
        self._context = context if address.scheme == "https" else None
        self._server_name = server_name or address.host

    def has_ended(self) -> bool:
        """Whether the agent closed it while nobody asked anything."""
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def connect(self) -> None:
        host, port, path = self._address.host, self._address.port, self._address.socket
        if path:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self._limit_s)
            self.sock.connect(path)
            return
        # As bytes, a plain host needs no IDNA codec, which takes long to import.
        name: Any = host.encode() if host.isascii() else host
        connect_s = min(_CONNECT_S, self._limit_s or _CONNECT_S)
        self.sock = socket.create_connection((name, port), connect_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEP_ALIVE.items():
            if hasattr(socket, option):
                self.sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        if self._context is not None:
            self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server_name)
        self.sock.settimeout(self._limit_s)


def reason(error: Exception) -> str:
    """What went wrong, in the words of Consul's client where it has some."""
    match error:
        case TimeoutError():
            return "i/o timeout"
        case ssl.SSLCertVerificationError():
            return f"x509: {error.verify_message}"
        case ssl.SSLError():
            return f"tls: {(error.reason or str(error)).replace('_', ' ').lower()}"
        case socket.gaierror():
            return "lookup: no such host"
        case http.client.RemoteDisconnected():
            return "EOF"
        case http.client.IncompleteRead():
            return "unexpected EOF"
        case http.client.BadStatusLine():
            return f'malformed HTTP response "{str(error).strip()}"'
        case OSError() if error.errno:
            return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__

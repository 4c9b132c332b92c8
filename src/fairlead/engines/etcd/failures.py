"""What etcd and gRPC say when a call fails, as Fairlead's errors.

Unless the class says otherwise, nobody knows whether a write that failed was made.
"""

from __future__ import annotations

import grpc

from fairlead.errors import FairleadError, SettingsError, UnavailableError

__all__ = [
    "CompactedError",
    "FullError",
    "LeaseLostError",
    "RefusedError",
    "TokenError",
    "UnsentError",
    "failure",
]


class CompactedError(UnavailableError):
    """The revision asked for is compacted away."""


class FullError(UnavailableError):
    """etcd is over its quota and takes no rows until somebody makes room."""


class LeaseLostError(UnavailableError):
    """The lease is over: it was revoked, or not kept alive."""


class UnsentError(UnavailableError):
    """There is no connection; nothing was sent."""


class TokenError(UnavailableError):
    """The token is not valid any more; nothing was done."""


class RefusedError(UnavailableError):
    """etcd understood the request and will not do it; nothing was done."""


_FULL = (
    "etcd is full: {details}; compact and defragment it or raise its quota"
    " (--quota-backend-bytes), then disarm the alarm (etcdctl alarm disarm)"
)
# By what etcd says, for its codes are shared by many errors.
_SAYINGS: list[tuple[str, type[FairleadError], str]] = [
    ("database space exceeded", FullError, _FULL),
    ("revision has been compacted", CompactedError, "{details}"),
    ("lease not found", LeaseLostError, "{details}"),
    ("invalid auth token", TokenError, "{details}"),
    ("revision of auth store is old", TokenError, "{details}"),
    (
        "authentication failed",
        SettingsError,
        "etcd at {place} does not accept the user and password: look at user and password_file",
    ),
    (
        "user name is empty",
        SettingsError,
        "etcd at {place} wants a user: give the engine user and password_file",
    ),
    (
        "authentication is not enabled",
        SettingsError,
        "etcd at {place} has no authentication: give the engine no user, or enable it in etcd",
    ),
    (
        "permission denied",
        SettingsError,
        "etcd at {place} does not let this user read and write under the engine's prefix:"
        " grant it a role with readwrite there (etcdctl role grant-permission --prefix=true)",
    ),
    (
        "certificate has expired",
        UnsentError,
        "the certificate of etcd at {place} has expired: renew it, or set this machine's clock",
    ),
    (
        "ALERT_CERTIFICATE_EXPIRED",
        UnsentError,
        "etcd at {place} says that this server's certificate has expired: renew cert_file",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        UnsentError,
        "the certificate of etcd at {place} is not to be trusted: look at ca_file ({details})",
    ),
    (
        "BAD_CERTIFICATE",
        UnsentError,
        "etcd at {place} wants a certificate that it trusts: look at cert_file and key_file",
    ),
    (
        "CERTIFICATE_REQUIRED",
        UnsentError,
        "etcd at {place} wants a certificate that it trusts: look at cert_file and key_file",
    ),
    (
        "Ssl handshake failed",
        UnsentError,
        "no TLS with etcd at {place}: does it listen with TLS there? ({details})",
    ),
    ("failed to connect to all addresses", UnsentError, "cannot reach etcd at {place}: {details}"),
    ("no leader", UnavailableError, "etcd at {place} has no quorum"),
    ("request timed out", UnavailableError, "etcd at {place} has no quorum, or is too slow"),
]
_SHOWN = 200


def failure(error: grpc.aio.AioRpcError, place: str) -> FairleadError:
    """The error to raise for what a call to the etcd at `place` raised."""
    details = error.details() or error.code().name
    for saying, kind, sentence in _SAYINGS:
        if saying in details:
            return kind(sentence.format(place=place, details=_short(details)))
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return UnavailableError(f"etcd at {place} does not answer in time: has it a quorum?")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED | grpc.StatusCode.UNKNOWN:
            return UnavailableError(f"etcd at {place}: {_short(details)}")
        case grpc.StatusCode.UNIMPLEMENTED:
            return RefusedError(f"etcd at {place} is too old for this: {_short(details)}")
    return RefusedError(f"etcd at {place}: {_short(details)}")


def _short(details: str) -> str:
    """The innermost cause, on one line: gRPC tells the way to it too."""
    *_, cause = details.partition("last error: ")
    return (cause or details).encode("unicode_escape").decode()[:_SHOWN]

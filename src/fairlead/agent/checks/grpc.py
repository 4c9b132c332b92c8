"""gRPC: passing when `grpc.health.v1.Health/Check` says SERVING.

The target is `host:port`, or `host:port/service` to ask for one service. The
two messages have a field each, so they are written here by hand; see
docs/decisions/0006-check-clients.md.

>>> _request("ok"), _is_serving(bytes.fromhex("00000000020801"))
(b'\\x00\\x00\\x00\\x00\\x04\\n\\x02ok', True)
"""

from __future__ import annotations

import asyncio
import http
from urllib.parse import unquote

from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.dial import DialError
from fairlead.agent.checks.http2 import Http2Error, Response, TLSError, connect

__all__ = ["make"]

_PATH = "/grpc.health.v1.Health/Check"
_UNHEALTHY = "gRPC application didn't report service healthy"
_FRAME_BYTES = 5  # a flag for compression, and a length of four bytes
_SERVING = 1
_CODES = (
    "OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists "
    "PermissionDenied ResourceExhausted FailedPrecondition Aborted OutOfRange Unimplemented "
    "Internal Unavailable DataLoss Unauthenticated"
).split()
# What a proxy in between may answer; from gRPC's http-grpc-status-mapping.md.
_CODE_OF_HTTP = {
    400: "Internal",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "Unimplemented",
    429: "Unavailable",
    502: "Unavailable",
    503: "Unavailable",
    504: "Unavailable",
}


class _GRPC:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._check = check
        self._means = means
        self._timeout_s = timeout_s(check.timeout_ns)
        self._server, _, service = check.grpc.partition("/")
        self._request = _request(service)

    async def run(self) -> Outcome:
        try:
            response = await self._ask()
        except DialError as error:
            why = f"Error while dialing {error}"
            if error.timed_out:
                return failing(_error("DeadlineExceeded", "context deadline exceeded"))
            return failing(_error("Unavailable", _connection_error(why)))
        except TLSError as error:
            why = f"authentication handshake failed: {error}"
            return failing(_error("Unavailable", _connection_error(why)))
        except TimeoutError:
            return failing(_error("DeadlineExceeded", "context deadline exceeded"))
        except Http2Error as error:
            return failing(_error("Unavailable", str(error)))
        if fault := _fault(response):
            return failing(fault)
        if not _is_serving(response.body):
            return failing(_UNHEALTHY)
        return passing(f"gRPC check {self._check.grpc}: success")

    async def _ask(self) -> Response:
        check = self._check
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        http2 = await connect(
            self._server, check, self._means, deadline, use_tls=check.grpc_use_tls
        )
        headers = [
            (":method", "POST"),
            (":scheme", "https" if check.grpc_use_tls else "http"),
            (":path", _PATH),
            (":authority", check.tls_server_name or self._server),
            ("content-type", "application/grpc"),
            ("user-agent", "Consul Health Check"),
            ("te", "trailers"),
            ("grpc-timeout", f"{max(1, round(self._timeout_s * 1000))}m"),
        ]
        try:
            async with asyncio.timeout_at(deadline):
                return await http2.call(headers, self._request)
        finally:
            http2.close()


def _request(service: str) -> bytes:
    """A framed HealthCheckRequest: its field 1 is the service."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _is_serving(body: bytes) -> bool:
    """Whether a framed HealthCheckResponse, whose field 1 is the status, says so."""
    return body[_FRAME_BYTES : _FRAME_BYTES + 2] == bytes((0x08, _SERVING))


def _fault(response: Response) -> str:
    """The error that a response is; empty when it is none."""
    headers = response.headers
    code = headers.get("grpc-status", "")
    if code.isascii() and code.isdigit():
        name = _CODES[int(code)] if int(code) < len(_CODES) else f"Code({int(code)})"
        message = unquote(headers.get("grpc-message", ""), errors="replace")
        return "" if name == "OK" else _error(name, message)
    status = headers.get(":status", "")
    if status in ("", "200"):
        return _error("Internal", "server closed the stream without sending trailers")
    number = int(status) if status.isascii() and status.isdigit() else 0
    known = number in http.HTTPStatus._value2member_map_
    reason = http.HTTPStatus(number).phrase if known else "Unknown"
    return _error(_CODE_OF_HTTP.get(number, "Unknown"), f"{reason}: HTTP status code {status}")


def _error(code: str, description: str) -> str:
    """As Go prints a status."""
    return f"rpc error: code = {code} desc = {description}"


def _connection_error(why: str) -> str:
    return f'connection error: desc = "transport: {why}"'


def make(check: CheckDefinition, means: Means) -> Probe:
    return _GRPC(check, means)

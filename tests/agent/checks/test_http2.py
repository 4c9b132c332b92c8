"""gRPC checks against grpcio's own health service, HTTP/2 pings against a server on h2."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import h2.config
import h2.connection
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from fairlead.agent.checks.definition import CheckDefinition
from tests.agent.checks.servers import ANY_TIME_NS, certificate, run, serving

LONG_NS = 10**10


@pytest.fixture
def grpc_server() -> Iterator[grpc.Server]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(service, server)
    service.set("good", health_pb2.HealthCheckResponse.SERVING)
    service.set("bad", health_pb2.HealthCheckResponse.NOT_SERVING)
    yield server
    server.stop(None).wait()


async def test_grpc_asks_the_health_service(grpc_server: grpc.Server) -> None:
    address = f"127.0.0.1:{grpc_server.add_insecure_port('127.0.0.1:0')}"
    grpc_server.start()
    expected = {
        "": ("passing", f"gRPC check {address}: success"),
        "/good": ("passing", f"gRPC check {address}/good: success"),
        "/bad": ("critical", "gRPC application didn't report service healthy"),
        "/none": ("critical", "rpc error: code = NotFound desc = "),
    }
    for service, outcome in expected.items():
        check = CheckDefinition(grpc=f"{address}{service}", timeout_ns=LONG_NS)
        assert await run(check) == outcome


async def test_grpc_over_tls(grpc_server: grpc.Server, tmp_path: Path) -> None:
    _, ca_file = certificate(tmp_path, "127.0.0.1")
    pair = ((tmp_path / "key.pem").read_bytes(), (tmp_path / "cert.pem").read_bytes())
    port = grpc_server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    grpc_server.start()
    check = CheckDefinition(grpc=f"127.0.0.1:{port}", grpc_use_tls=True, timeout_ns=LONG_NS)
    assert (await run(check, ca_file=ca_file)).status == "passing"
    unknown = await run(check)
    assert unknown == (
        "critical",
        'rpc error: code = Unavailable desc = connection error: desc = "transport: '
        'authentication handshake failed: x509: certificate signed by unknown authority"',
    )


async def test_grpc_without_a_health_service() -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    found = await run(CheckDefinition(grpc=f"127.0.0.1:{port}", timeout_ns=LONG_NS))
    assert found == ("critical", "rpc error: code = Unimplemented desc = Method not found!")
    await asyncio.to_thread(server.stop(None).wait)


async def speak_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Settings and answers to pings: what h2 does by itself."""
    state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    state.initiate_connection()
    writer.write(state.data_to_send())
    while data := await reader.read(65536):
        state.receive_data(data)
        writer.write(state.data_to_send())
        await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def junk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH\r\n" * 3)
    await reader.read(1)


async def test_a_ping_that_comes_back_passes(tmp_path: Path) -> None:
    context, ca_file = certificate(tmp_path, "127.0.0.1")
    success = ("passing", "HTTP2 ping was successful")
    async with serving(speak_http2) as port:
        plain = CheckDefinition(h2ping=f"127.0.0.1:{port}", h2ping_use_tls=False)
        assert await run(plain) == success
    async with serving(speak_http2, context) as port:
        over_tls = CheckDefinition(h2ping=f"127.0.0.1:{port}")
        assert await run(over_tls, ca_file=ca_file) == success
        assert (await run(over_tls)).output == (
            f"Failed to dial to 127.0.0.1:{port}: x509: certificate signed by unknown authority"
        )


async def test_a_ping_that_does_not_is_critical() -> None:
    async with serving(silence) as port:
        check = CheckDefinition(
            h2ping=f"127.0.0.1:{port}", h2ping_use_tls=False, timeout_ns=ANY_TIME_NS
        )
        assert await run(check) == ("critical", "HTTP2 ping failed: context deadline exceeded")


async def test_what_does_not_speak_http2_is_critical() -> None:
    async with serving(junk) as port:
        address = f"127.0.0.1:{port}"
        ping = CheckDefinition(h2ping=address, h2ping_use_tls=False, timeout_ns=LONG_NS)
        assert await run(ping) == ("critical", "HTTP2 ping failed: connection closed")
        call = CheckDefinition(grpc=address, timeout_ns=LONG_NS)
        why = "rpc error: code = Unavailable desc = connection closed"
        assert await run(call) == ("critical", why)

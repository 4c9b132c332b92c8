"""`fairlead.http.server`: the listeners."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
import subprocess
from pathlib import Path

import pytest

from fairlead.errors import SettingsError
from tests.http.edge import Client, edge_of, request
from tests.processes import free_port


async def test_http_is_served_on_unix_sockets_too(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.sock"
    addresses = {"http": f"127.0.0.1 unix://{path}"}
    async with edge_of(addresses=addresses, unix_sockets={"mode": "0660"}) as edge:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        client = Client(*await asyncio.open_unix_connection(str(path)))
        assert (await client.ask("PUT", "/v1/kv/a", b"v")).text == "true"
        client.close()
        assert (await edge.ask("GET", "/v1/kv/a?raw")).text == "v"
    assert not path.exists()


async def test_a_socket_left_by_a_dead_agent_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "fairlead.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    async with edge_of(addresses={"http": f"127.0.0.1 unix://{path}"}) as edge:
        assert len(edge.server.listening) == 2


async def test_a_port_that_is_taken_is_one_clear_error() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}: address") as e:
            async with edge_of(ports={"http": port}):
                pass
        assert "-http-port" in e.value.hint


async def test_an_owner_that_does_not_exist_is_one_clear_error(tmp_path: Path) -> None:
    addresses = {"http": f"unix://{tmp_path}/fairlead.sock"}
    with pytest.raises(SettingsError, match="unix_sockets: cannot set the owner"):
        async with edge_of(addresses=addresses, unix_sockets={"user": "no-such-user"}):
            pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, with its key beside it."""
    folder = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


def https(certificate: Path, **more: object) -> dict[str, object]:
    port = free_port()
    key = certificate.with_name("key.pem")
    return {"ports": {"https": port}, "cert_file": str(certificate), "key_file": str(key), **more}


async def test_https_is_served_beside_http(certificate: Path) -> None:
    async with edge_of(**https(certificate)) as edge:
        context = ssl.create_default_context(cafile=str(certificate))
        port = edge.agent.settings.ports_https
        streams = await asyncio.open_connection("localhost", port, ssl=context)
        client = Client(*streams)
        assert (await client.ask("PUT", "/v1/kv/a", b"v")).text == "true"
        assert (await client.ask("GET", "/v1/kv/a?raw")).text == "v"
        client.close()


async def first_bytes(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("localhost", port, ssl=context)
    try:
        writer.write(request("GET", "/v1/status/leader"))
        return await reader.readexactly(10)
    finally:
        writer.close()


async def test_clients_without_a_certificate_can_be_turned_away(certificate: Path) -> None:
    wanted = https(certificate, ca_file=str(certificate), verify_incoming_https=True)
    async with edge_of(**wanted) as edge:
        context = ssl.create_default_context(cafile=str(certificate))
        port = edge.agent.settings.ports_https
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await first_bytes(port, context)
        context.load_cert_chain(certificate, certificate.with_name("key.pem"))
        client = Client(*await asyncio.open_connection("localhost", port, ssl=context))
        assert (await client.ask("GET", "/v1/status/leader")).status == 200
        client.close()


async def test_certificates_that_are_none_are_one_clear_error(tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nonsense")
    with pytest.raises(SettingsError, match="cannot use cert_file, key_file or ca_file"):
        async with edge_of(**https(tmp_path / "cert.pem")):
            pass

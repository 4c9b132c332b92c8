"""Which agent is asked, and as whom: flags, then `FAIRLEAD_…`, then `CONSUL_…`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Fairlead
from tests.cli.programs import run
from tests.processes import AgentProcess, fairlead_agent, free_port

NOWHERE = "127.0.0.1:1"


def test_a_flag_wins_over_the_environment(address: str) -> None:
    assert run(NOWHERE, "kv", "put", f"-http-addr={address}", "a", "1").code == 0
    assert run(address, "kv", "put", f"-http-addr={NOWHERE}", "a", "1").code == 1


def test_our_variable_wins_over_that_of_consul(address: str) -> None:
    env = {"FAIRLEAD_HTTP_ADDR": address, "CONSUL_HTTP_ADDR": NOWHERE}
    assert run("", "kv", "put", "a", "1", env=env).code == 0
    env = {"FAIRLEAD_HTTP_ADDR": NOWHERE, "CONSUL_HTTP_ADDR": address}
    assert run("", "kv", "put", "a", "1", env=env).code == 1
    env = {"FAIRLEAD_HTTP_ADDR": "", "CONSUL_HTTP_ADDR": address}
    assert run("", "kv", "put", "a", "1", env=env).code == 0


def test_a_variable_that_says_neither_yes_nor_no_is_warned_of(fairlead: Fairlead) -> None:
    done = fairlead("kv", "put", "a", "1", env={"CONSUL_HTTP_SSL": "maybe"})
    assert done.code == 0
    assert done.stderr == 'warning: CONSUL_HTTP_SSL is "maybe", neither true nor false: not used\n'
    assert fairlead("kv", "put", "a", "1", env={"CONSUL_HTTP_SSL": "0"}).stderr == ""


def test_a_token_file_that_cannot_be_read_is_an_error(fairlead: Fairlead, tmp_path: Path) -> None:
    done = fairlead("kv", "get", "-token-file=nothing", "a", cwd=tmp_path)
    assert done.code == 1
    assert done.stderr == (
        "Error connecting to Consul agent: "
        "Error loading token file: open nothing: no such file or directory\n"
    )


def test_an_agent_is_reached_through_a_unix_socket(tmp_path: Path) -> None:
    socket = f"unix://{tmp_path / 'agent.sock'}"
    agent = fairlead_agent(tmp_path, f"-client=127.0.0.1 {socket}", dev=True).start()
    try:
        assert run(socket, "kv", "put", "socket/a", "1").code == 0
        assert run("", "kv", "get", f"-http-addr={socket}", "socket/a").stdout == "1\n"
        assert run(socket, "lock", "socket/b", "echo held").stdout == "held\n"
    finally:
        agent.stop()


# ---------------------------------------------------------------- HTTPS


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AgentProcess, Path, int]]:
    """An agent that wants to see a certificate, those of both, and its port."""
    folder = tmp_path_factory.mktemp("secure")
    for name, host in (("agent", "agent.test"), ("other", "other.test")):
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
            f"-subj /CN={host} -addext subjectAltName=DNS:{host} "
            f"-keyout {name}-key.pem -out {name}.pem"
        )
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    port = free_port()
    (folder / "tls.hcl").write_text(
        f"ports {{ https = {port} }}\nverify_incoming_https = true\n"
        f'ca_file = "{folder}/agent.pem"\ncert_file = "{folder}/agent.pem"\n'
        f'key_file = "{folder}/agent-key.pem"\n'
    )
    agent = fairlead_agent(folder, f"-config-file={folder / 'tls.hcl'}", dev=True).start()
    yield agent, folder, port
    agent.stop()


def flags(folder: Path, port: int, name: str = "agent") -> list[str]:
    return [
        f"-http-addr=https://127.0.0.1:{port}",
        "-tls-server-name=agent.test",
        f"-ca-file={folder / name}.pem",
        f"-client-cert={folder / 'agent.pem'}",
        f"-client-key={folder / 'agent-key.pem'}",
    ]


def test_https_works_with_the_right_certificates(secure: tuple[AgentProcess, Path, int]) -> None:
    _, folder, port = secure
    given = flags(folder, port)
    assert run("", "kv", "put", *given, "tls/a", "1").code == 0
    assert run("", "kv", "get", *given, "tls/a").stdout == "1\n"
    assert run("", "lock", *given, "tls/b", "echo held").stdout == "held\n"


def test_the_environment_names_certificates_too(secure: tuple[AgentProcess, Path, int]) -> None:
    _, folder, port = secure
    (folder / "trusted").mkdir()
    (folder / "trusted" / "any-name.pem").write_bytes((folder / "agent.pem").read_bytes())
    env = {
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_CAPATH": str(folder / "trusted"),
        "CONSUL_CLIENT_CERT": str(folder / "agent.pem"),
        "CONSUL_CLIENT_KEY": str(folder / "agent-key.pem"),
        "FAIRLEAD_TLS_SERVER_NAME": "agent.test",
    }
    assert run(f"127.0.0.1:{port}", "kv", "put", "tls/c", "1", env=env).code == 0


def test_a_certificate_of_somebody_else_is_not_trusted(
    secure: tuple[AgentProcess, Path, int],
) -> None:
    _, folder, port = secure
    done = run("", "kv", "get", *flags(folder, port, "other"), "tls/a")
    assert done.code == 1
    assert "x509: self-signed certificate" in done.stderr
    env = {"CONSUL_HTTP_SSL_VERIFY": "false"}
    assert run("", "kv", "put", *flags(folder, port, "other"), "tls/d", "1", env=env).code == 0


def test_a_certificate_for_another_name_is_not_trusted(
    secure: tuple[AgentProcess, Path, int],
) -> None:
    _, folder, port = secure
    given = [*flags(folder, port), "-tls-server-name=elsewhere.test"]
    done = run("", "kv", "get", *given, "tls/a")
    assert done.code == 1
    assert "elsewhere.test" in done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_wrong_scheme_is_told(scheme: str, secure: tuple[AgentProcess, Path, int]) -> None:
    agent, _, https_port = secure
    port = https_port if scheme == "http" else agent.port
    done = run(f"{scheme}://127.0.0.1:{port}", "kv", "get", "a")
    assert done.code == 1
    assert "Begin the address with https:// if the agent speaks HTTPS" in done.stderr


def test_half_of_a_key_pair_is_refused(fairlead: Fairlead, tmp_path: Path) -> None:
    done = fairlead("kv", "get", "-client-cert=cert.pem", "a", cwd=tmp_path)
    assert done.code == 1
    assert "both client cert and client key must be provided" in done.stderr
    (tmp_path / "empty").mkdir()
    done = fairlead("kv", "get", "-ca-path=empty", "a", cwd=tmp_path)
    assert "no certificates in empty" in done.stderr

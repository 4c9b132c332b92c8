"""A server and its clients as processes: killed, stopped, restarted, refused."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.agents import ALIVE, FAILED, LEFT, Diary, Fleet, ask, fleet_in, statuses, until
from tests.processes import free_port

pytestmark = pytest.mark.xdist_group("cluster")

KEY = "MDEyMzQ1Njc4OTAxMjM0NQ=="
OTHER_KEY = "YWJjZGVmZ2hpamFiY2RlZg=="


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    yield from fleet_in(tmp_path)


def refused(fleet: Fleet, name: str, *flags: str) -> str:
    """What a client says that does not start."""
    agent = fleet.prepared(name, *flags)
    done = subprocess.run(agent.command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr + done.stdout
    return done.stderr


def test_one_is_killed_one_leaves_and_the_others_say_so(fleet: Fleet) -> None:
    server, killed, stays = fleet.server(), fleet.client("c1"), fleet.client("c2")
    everybody = {"c1": ALIVE, "c2": ALIVE, "s1": ALIVE}
    assert statuses(server) == statuses(killed) == statuses(stays) == everybody
    made = ask(killed, "/v1/session/create", "PUT", b"{}")
    with Diary(lambda: statuses(stays)["c1"]) as seen:
        killed.kill()
        until(lambda: statuses(stays)["c1"] == FAILED, "a failure")
        assert ask(stays, f"/v1/session/info/{made['ID']}") == []
        until(lambda: seen.entries[-1] == FAILED)
    assert seen.entries == [ALIVE, FAILED]

    assert stays.stop() == 0
    assert statuses(server) == {"c1": FAILED, "c2": LEFT, "s1": ALIVE}
    assert ask(server, "/v1/session/create", "PUT", b'{"Node": "c2"}') == (
        "Missing node registration"
    )
    assert ask(server, "/v1/agent/force-leave/c1?prune", "PUT") == ""
    assert statuses(server) == {"c2": LEFT, "s1": ALIVE}


def test_one_that_was_killed_comes_back_as_it_was(fleet: Fleet) -> None:
    server, client = fleet.server(), fleet.client("c1")
    client.kill()
    until(lambda: statuses(server)["c1"] == FAILED, "a failure")
    # Without -join: it remembers whom it knew.
    client.command = [flag for flag in client.command if not flag.startswith("-join")]
    client.start()
    until(lambda: statuses(server)["c1"] == ALIVE, "a return")
    assert ask(client, "/v1/kv/a", "PUT", b"v") is True


def test_one_that_left_comes_back_only_when_it_is_told_to(fleet: Fleet) -> None:
    server, client = fleet.server(), fleet.client("c1")
    assert client.stop() == 0
    client.command = [flag for flag in client.command if not flag.startswith("-join")]
    client.start()
    assert ask(client, "/v1/kv/a") == "No known Consul servers"
    assert client.stop() == 0
    client.command.append("-rejoin")
    client.start()
    until(lambda: statuses(server)["c1"] == ALIVE, "a return")


@pytest.mark.parametrize("gently", [True, False], ids=["stopped", "killed"])
def test_when_the_server_restarts_its_clients_find_it_again(fleet: Fleet, gently: bool) -> None:
    server, one, two = fleet.server(), fleet.client("c1"), fleet.client("c2")
    ask(one, "/v1/kv/a", "PUT", b"before")
    with Diary(lambda: {statuses(server)[name] for name in ("c1", "c2")}) as seen:
        if gently:
            assert server.stop() == 0
        else:
            server.kill()
        server.start()
        until(lambda: ask(one, "/v1/kv/a?raw") == "before", "an answer")
        until(lambda: ask(two, "/v1/kv/b", "PUT", b"after") is True, "a write")
        assert ask(server, "/v1/kv/b?raw") == "after"
        until(lambda: statuses(one) == {"c1": ALIVE, "c2": ALIVE, "s1": ALIVE})
    assert seen.entries == [{ALIVE}]


def test_a_client_can_start_before_its_server(fleet: Fleet) -> None:
    client = fleet.client("c1", f"-retry-join=localhost:{fleet.port}", "-retry-interval=200ms")
    assert ask(client, "/v1/kv/a") == "No known Consul servers"
    fleet.server()
    until(lambda: ask(client, "/v1/kv/a", "PUT", b"v") is True, "a link")


def test_after_a_power_failure_a_client_finds_the_server_it_knew_soon(fleet: Fleet) -> None:
    server = fleet.server()
    client = fleet.client("c1", f"-retry-join=localhost:{fleet.port}", "-retry-interval=1h")
    until(lambda: ask(client, "/v1/kv/a", "PUT", b"v") is True, "a link")
    client.kill()
    server.kill()
    client.start()
    assert ask(client, "/v1/kv/a") == "No known Consul servers"
    server.start()
    until(lambda: ask(client, "/v1/kv/a?raw") == "v", "a link again")


def test_join_fails_the_start_when_nobody_answers(fleet: Fleet) -> None:
    port = free_port()
    said = refused(fleet, "c1", f"-join=127.0.0.1:{port}")
    assert said.splitlines()[:2] == [
        "==> 1 error occurred:",
        f"\t* Failed to join 127.0.0.1: dial tcp 127.0.0.1:{port}: connect: connection refused",
    ]


def test_a_server_joins_itself_but_no_other_server(fleet: Fleet) -> None:
    server = fleet.server(f"-join=127.0.0.1:{fleet.port}", f"-retry-join=localhost:{fleet.port}")
    assert statuses(server) == {"s1": ALIVE}
    ports = ("-server-port=-1", "-serf-lan-port=-1", "-serf-wan-port=-1")
    flags = ("-server", *ports, f"-join=127.0.0.1:{fleet.port}")
    assert "this server runs alone, and that is one" in refused(fleet, "s2", *flags)


def test_retry_max_ends_an_agent_that_finds_nobody(fleet: Fleet) -> None:
    flags = (f"-retry-join=127.0.0.1:{free_port()}", "-retry-max=2", "-retry-interval=100ms")
    assert "max join retry exhausted, exiting" in refused(fleet, "c1", *flags)


def test_agents_need_the_server_s_key(fleet: Fleet) -> None:
    server = fleet.server(f"-encrypt={KEY}")
    fleet.client("c1", f"-join=127.0.0.1:{fleet.port}", f"-encrypt={KEY}")
    assert statuses(server) == {"c1": ALIVE, "s1": ALIVE}
    for flags in ((), (f"-encrypt={OTHER_KEY}",)):
        said = refused(fleet, "c2", f"-join=127.0.0.1:{fleet.port}", *flags)
        address = f"127.0.0.1:{fleet.port}"
        assert f"Failed to join {address}: refused: the encrypt keys differ\n" in said
    assert server.log.read_text().count("why=the encrypt keys differ") == 2
    assert KEY not in str(ask(server, "/v1/agent/self"))


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("-encrypt=abc", "==> encrypt has invalid key: illegal base64 data at input byte 0\n"),
        ("-encrypt=YWJj", "encrypt has invalid key: key size must be 16, 24 or 32 bytes\n"),
        ("-retry-join=provider=aws tag_key=a", "looking servers up in a cloud is not supported"),
        ("-retry-max=-1", "retry_max cannot be -1"),
        ("-server-port=70000", "ports.server cannot be 70000"),
    ],
)
def test_settings_that_cannot_be_are_one_clear_error(fleet: Fleet, flag: str, message: str) -> None:
    assert message in refused(fleet, "c1", flag)


@pytest.mark.parametrize("holder", ["client", "server"])
def test_a_client_takes_no_data_directory_that_is_in_use(fleet: Fleet, holder: str) -> None:
    server = fleet.server()
    first = fleet.client("c1") if holder == "client" else server
    data = next(flag for flag in first.command if flag.startswith("-data-dir="))
    said = refused(fleet, "c2", f"-join=127.0.0.1:{fleet.port}", data)
    folder = data.partition("=")[2]
    assert said.splitlines() == [
        f'==> data directory "{folder}" is in use by another process (pid {first.pid})',
        "    stop that agent first, or give another directory with -data-dir",
    ]
    assert "c2" not in statuses(server)
    # Its death frees the directory.
    first.kill()
    if holder == "client":
        second = fleet.prepared("c1", f"-join=127.0.0.1:{fleet.port}", data)
        second.start()
        until(lambda: statuses(server) == {"c1": ALIVE, "s1": ALIVE}, "the second")


def test_a_data_directory_that_a_client_cannot_write_is_one_clear_error(fleet: Fleet) -> None:
    file = fleet.folder / "file"
    file.write_text("")
    said = refused(fleet, "c1", f"-data-dir={file}/data")
    assert said.splitlines()[0] == (
        f'==> data directory "{file}/data" cannot be written: Not a directory'
    )


def test_a_busy_port_is_one_clear_error(fleet: Fleet) -> None:
    fleet.server()
    ports = ("-server-port=-1", "-serf-wan-port=-1")
    said = refused(fleet, "x", "-server", *ports, f"-serf-lan-port={fleet.port}")
    assert f"cannot listen on 127.0.0.1:{fleet.port}: address already in use" in said
    assert "Choose another port with ports.serf_lan" in said


def test_how_a_signal_ends_a_client_is_a_setting(fleet: Fleet) -> None:
    server = fleet.server()
    join = f"-join=127.0.0.1:{fleet.port}"
    stays = fleet.client("c1", join, "-hcl=leave_on_terminate = false")
    leaves = fleet.client("c2", join)
    stays.send(signal.SIGTERM)
    leaves.send(signal.SIGINT)
    assert (stays.wait(), leaves.wait()) == (0, 0)
    until(lambda: statuses(server) == {"c1": FAILED, "c2": LEFT, "s1": ALIVE})


def test_leave_by_http_ends_the_agent(fleet: Fleet) -> None:
    server, client = fleet.server(), fleet.client("c1")
    assert ask(client, "/v1/agent/leave", "PUT") == ""
    assert client.wait() == 0
    assert statuses(server) == {"c1": LEFT, "s1": ALIVE}

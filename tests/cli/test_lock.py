"""`fairlead lock`: it cleans up however it ends, and nothing runs on without the lock."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead
from tests.cli.programs import environment, run, running, stop, wait_until
from tests.processes import FAIRLEAD, fairlead_agent

# A shell with a child of its own, so that there is more than one process to end.
TREE = "sleep 100 & echo $! > grandchild; wait"


def sessions(client: Client) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = client.get("/v1/session/list").json()
    return rows


def rows(client: Client, prefix: str) -> list[dict[str, object]]:
    return client.get(f"/v1/kv/{prefix}", recurse="").rows()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def grandchild(folder: Path) -> int:
    file = folder / "grandchild"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


@pytest.mark.parametrize("places", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGHUP, -1)]
)
def test_an_interrupted_lock_ends_all_it_started_and_leaves_nothing(
    places: str, number: signal.Signals, code: int, address: str, client: Client, tmp_path: Path
) -> None:
    command = ("lock", "-verbose", f"-n={places}", "interrupted", TREE)
    with running(address, *command, cwd=tmp_path) as process:
        pid = grandchild(tmp_path)
        done = stop(process, number)
    assert done.code == code
    assert done.stdout.splitlines()[2:4] == [
        "Starting handler",
        "Shutdown triggered, killing child",
    ]
    assert done.stdout.endswith("Child terminated\nCleanup succeeded\n")
    assert done.stderr == ""
    assert not alive(pid)
    assert sessions(client) == []
    assert rows(client, "interrupted") == []


@pytest.mark.parametrize("places", ["1", "2"])
def test_who_is_interrupted_while_waiting_leaves_the_others_alone(
    places: str, address: str, client: Client, tmp_path: Path
) -> None:
    command = ("lock", f"-n={places}", "waiting")
    with contextlib.ExitStack() as stack:
        holders, pids = [], []
        for place in range(int(places)):
            folder = tmp_path / str(place)
            folder.mkdir()
            holders.append(stack.enter_context(running(address, *command, TREE, cwd=folder)))
            pids.append(grandchild(folder))
        before = sessions(client)
        assert len(before) == int(places)
        waiter = stack.enter_context(running(address, *command, "true", cwd=tmp_path))
        wait_until(lambda: len(sessions(client)) == len(before) + 1)
        assert stop(waiter, signal.SIGINT) == (130, "", "")
        assert sessions(client) == before
        assert all(map(alive, pids))
        for holder in holders:
            stop(holder, signal.SIGTERM)


def test_a_lost_lock_ends_the_command(address: str, client: Client, tmp_path: Path) -> None:
    command = ("lock", "-child-exit-code", "lost", TREE)
    for path in ("/v1/kv/lost/.lock", ""):
        (tmp_path / "grandchild").unlink(missing_ok=True)
        with running(address, *command, cwd=tmp_path) as process:
            pid = grandchild(tmp_path)
            if path:
                client.delete(path)
            else:
                client.put(f"/v1/session/destroy/{sessions(client)[0]['ID']}")
            assert process.wait(10) == 2
            assert process.stderr is not None
            words = process.stderr.read()
        assert (
            words == "Error: Lock lost, killing child\nError running handler: signal: terminated\n"
        )
        assert not alive(pid)
        assert sessions(client) == []
        assert rows(client, "lost") == []


def test_a_lost_place_of_a_semaphore_ends_the_command(
    address: str, client: Client, tmp_path: Path
) -> None:
    for spoil in (b'{"Limit":2,"Holders":{}}', b"rubbish"):
        (tmp_path / "grandchild").unlink(missing_ok=True)
        command = ("lock", "-n=2", "-child-exit-code", "place", TREE)
        with running(address, *command, cwd=tmp_path) as process:
            pid = grandchild(tmp_path)
            flags = client.get("/v1/kv/place/.lock").rows()[0]["Flags"]
            client.put("/v1/kv/place/.lock", spoil, flags=flags)
            assert process.wait(10) in (1, 2)
        assert not alive(pid)
        assert sessions(client) == []
        client.delete("/v1/kv/place", recurse="")


def test_a_command_that_ends_itself_when_told_is_waited_for(
    address: str, client: Client, tmp_path: Path
) -> None:
    # The signal is for the whole group, and some shells say that it ended their `sleep`.
    loop = "while :; do sleep 0.05; done 2>/dev/null"
    script = f"trap 'echo polite; exit 0' TERM; echo x > grandchild; {loop}"
    with running(address, "lock", "polite", script, cwd=tmp_path) as process:
        wait_until((tmp_path / "grandchild").exists)
        done = stop(process, signal.SIGTERM)
    assert done == (-15, "polite\n", "")
    assert sessions(client) == []


def test_an_agent_that_is_gone_ends_the_command_in_the_end(tmp_path: Path) -> None:
    agent = fairlead_agent(tmp_path, dev=True).start()
    address = f"127.0.0.1:{agent.port}"
    command = ("lock", "-monitor-retry=0", "-child-exit-code", "gone", TREE)
    with running(address, *command, cwd=tmp_path) as process:
        pid = grandchild(tmp_path)
        agent.kill()
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 1
    first, *_, last = [line for line in stderr.splitlines() if not line.startswith(" ")]
    assert first == "Error: Lock lost, killing child"
    assert last.startswith("Error: Lock release failed: Put ")
    assert not alive(pid)


def test_the_session_bears_the_name_of_the_command(
    address: str, client: Client, tmp_path: Path
) -> None:
    for words, name in [
        (("named", "true; " + TREE), f"Consul lock for 'true; {TREE}' at 'named'"),
        (("-name=mine", "named", TREE), "mine"),
    ]:
        (tmp_path / "grandchild").unlink(missing_ok=True)
        with running(address, "lock", *words, cwd=tmp_path) as process:
            grandchild(tmp_path)
            (row,) = sessions(client)
            assert (row["Name"], row["TTL"], row["Behavior"]) == (name, "15s", "release")
            stop(process, signal.SIGTERM)


def test_two_of_three_have_places_and_the_third_waits(fairlead: Fairlead, client: Client) -> None:
    value = json.dumps({"Limit": 2, "Holders": {"dead": True}}).encode()
    client.put("/v1/kv/stale/.lock", value, flags=16210313421097356768)
    assert fairlead("lock", "-n=2", "stale", "echo in").stdout == "in\n"
    assert rows(client, "stale") == []


@pytest.mark.parametrize("places", ["1", "2"])
def test_a_lock_is_tried_once_however_short_the_time(places: str, fairlead: Fairlead) -> None:
    done = fairlead("lock", f"-n={places}", "-timeout=1ns", "short", "echo in")
    assert done == (0, "in\n", "")


def test_at_a_terminal_the_command_stays_in_our_group(address: str) -> None:
    script = "echo $(ps -o pgid= -p $$) $(ps -o pgid= -p $PPID)"
    words = [*FAIRLEAD, "lock", "group", script]
    apart = run(address, "lock", "group", script).stdout.split()
    if not os.isatty(0):
        assert apart[0] != apart[1]
    env = {**environment(address), "TERM": "dumb"}
    command = ["script", "-qec", " ".join(f"'{word}'" for word in words), "/dev/null"]
    shown = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    together = shown.split()
    assert together[0] == together[1]

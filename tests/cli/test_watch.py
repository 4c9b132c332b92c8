"""`fairlead watch`: a command at every change, and nothing left when it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.programs import Done, run, running, stop, wait_until
from tests.cli.test_lock import TREE, alive, grandchild
from tests.processes import fairlead_agent

LOG = 'cat >> log; echo "index $CONSUL_INDEX" >> log'


def lines(folder: Path) -> list[str]:
    log = folder / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_the_command_runs_now_and_at_every_change(
    address: str, client: Client, tmp_path: Path
) -> None:
    client.put("/v1/kv/seen", "ü".encode())
    with running(address, "watch", "-type=key", "-key=seen", LOG, cwd=tmp_path) as process:
        wait_until(lambda: len(lines(tmp_path)) == 2)
        client.put("/v1/kv/other", b"x")
        client.put("/v1/kv/seen", b"two", flags=7)
        wait_until(lambda: len(lines(tmp_path)) == 4)
        client.delete("/v1/kv/seen")
        wait_until(lambda: len(lines(tmp_path)) == 6)
        assert stop(process, signal.SIGINT) == (130, "", "")
    rows = [json.loads(line) for line in lines(tmp_path)[::2]]
    indexes = [int(line.removeprefix("index ")) for line in lines(tmp_path)[1::2]]
    assert [row and (row["Value"], row["Flags"]) for row in rows] == [
        ("w7w=", 0),
        ("dHdv", 7),
        None,
    ]
    assert indexes[:2] == [row["ModifyIndex"] for row in rows[:2]]
    assert indexes == sorted(indexes)


def test_a_change_back_to_what_was_seen_is_no_change(
    address: str, client: Client, tmp_path: Path
) -> None:
    client.put("/v1/kv/below/a", b"1")
    command = ("watch", "-type=keyprefix", "-prefix=below/", LOG)
    with running(address, *command, cwd=tmp_path) as process:
        wait_until(lambda: len(lines(tmp_path)) == 2)
        client.put("/v1/kv/below/a", b"1")
        client.put("/v1/kv/below/b", b"2")
        wait_until(lambda: len(lines(tmp_path)) == 4)
        stop(process, signal.SIGTERM)
    keys = [[row["Key"] for row in json.loads(line)] for line in lines(tmp_path)[::2]]
    assert keys == [["below/a"], ["below/a", "below/b"]]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15)])
def test_an_interrupted_watch_ends_all_it_started(
    number: signal.Signals, code: int, address: str, tmp_path: Path
) -> None:
    command = ("watch", "-type=key", "-key=running", TREE)
    with running(address, *command, cwd=tmp_path) as process:
        pid = grandchild(tmp_path)
        assert stop(process, number) == (code, "", "")
    assert not alive(pid)


def test_the_watch_ends_with_a_command_that_fails(address: str) -> None:
    watch = ("watch", "-type=key", "-key=failing")
    assert run(address, *watch, "exit 3") == (1, "", "Error executing handler: exit status 3\n")
    done = run(address, *watch, "kill -9 $$")
    assert done == (1, "", "Error executing handler: signal: killed\n")
    done = run(address, *watch, "-shell=false", "/nowhere/program")
    assert done.stderr == "Error starting handler: /nowhere/program: no such file or directory\n"


def test_a_command_that_reads_nothing_is_no_fault(
    address: str, client: Client, tmp_path: Path
) -> None:
    client.put("/v1/kv/unread", b"x" * 200_000)
    command = ("watch", "-type=key", "-key=unread", "exec 0<&-; echo ran >> log")
    with running(address, *command, cwd=tmp_path) as process:
        wait_until(lambda: len(lines(tmp_path)) == 1)
        client.put("/v1/kv/unread", b"y" * 200_000)
        wait_until(lambda: len(lines(tmp_path)) == 2)
        assert stop(process, signal.SIGINT) == (130, "", "")


def test_an_agent_that_comes_back_is_watched_again(tmp_path: Path) -> None:
    """Its state may be older than what was seen: then everything is new."""
    agent = fairlead_agent(tmp_path, dev=True).start()
    address = f"127.0.0.1:{agent.port}"
    command = ("watch", "-type=key", "-key=again", LOG)
    for value in ("1", "2", "3"):
        run(address, "kv", "put", "again", value)
    with running(address, *command, cwd=tmp_path) as process:
        wait_until(lambda: len(lines(tmp_path)) == 2)
        agent.kill()
        fresh = fairlead_agent(tmp_path, dev=True, port=agent.port).start()
        try:
            wait_until(lambda: len(lines(tmp_path)) == 4)
            done: Done = stop(process, signal.SIGINT)
        finally:
            fresh.stop()
    assert lines(tmp_path)[2] == "null"
    assert done.stderr.startswith("Error: watch failed, trying again in 5s: Get ")

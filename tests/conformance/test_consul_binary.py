"""Consul's own program with an agent of ours, and beside our program."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

from tests.conformance.command_lines import Side
from tests.processes import FAIRLEAD, fairlead_agent

pytestmark = pytest.mark.xdist_group("cli")

_LIMIT_S = 20.0
_PROGRAMS = ("consul", "fairlead")


@pytest.fixture(scope="module")
def programs(
    tmp_path_factory: pytest.TempPathFactory, consul_path: str
) -> Iterator[dict[str, Side]]:
    """Both programs, with one and the same agent and folder."""
    folder = tmp_path_factory.mktemp("both")
    agent = fairlead_agent(folder, "-node=n1", dev=True).start()
    commands = {"consul": [consul_path], "fairlead": FAIRLEAD}
    yield {name: Side(command, agent, folder) for name, command in commands.items()}
    agent.stop()


@pytest.fixture(params=[("consul", "fairlead"), ("fairlead", "consul")], ids=" then ".join)
def pair(request: pytest.FixtureRequest, programs: dict[str, Side]) -> tuple[Side, Side]:
    """One program and the other, both ways round."""
    first, second = request.param
    return programs[first], programs[second]


def run(side: Side, *words: str, stdin: str = "") -> str:
    """What the command prints; it must succeed."""
    done = subprocess.run(
        [*side.program, *words],
        input=stdin,
        capture_output=True,
        text=True,
        env=side.environment(),
        cwd=side.folder,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@contextmanager
def running(side: Side, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that goes on for a while; it is told to end in the end."""
    process = subprocess.Popen(
        [*side.program, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=side.environment(),
        cwd=side.folder,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def wait_until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while not what():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def keys(side: Side, prefix: str) -> list[str]:
    return [entry["key"] for entry in json.loads(run(side, "kv", "export", prefix))]


# ---------------------------------------------------------------- files of keys


def test_what_one_exports_the_other_imports(pair: tuple[Side, Side]) -> None:
    first, second = pair
    run(first, "kv", "put", "-flags=7", "move/a", "one")
    run(first, "kv", "put", "move/<b> & ü", "@/proc/self/cmdline")
    run(first, "kv", "put", "move/c")
    exported = run(first, "kv", "export", "move/")
    assert exported == run(second, "kv", "export", "move/")
    before = run(first, "kv", "get", "-recurse", "move/")
    run(first, "kv", "delete", "-recurse", "move/")
    imported = run(second, "kv", "import", "-", stdin=exported)
    assert imported == "Imported: move/<b> & ü\nImported: move/a\nImported: move/c\n"
    assert run(first, "kv", "get", "-recurse", "move/") == before
    assert "Flags            7" in run(first, "kv", "get", "-detailed", "move/a")
    run(first, "kv", "delete", "-recurse", "move/")


# ---------------------------------------------------------------- locks


def test_a_lock_that_one_holds_the_other_waits_for(pair: tuple[Side, Side]) -> None:
    first, second = pair
    prefix = "wait"
    with running(first, "lock", prefix, "echo first >> log; read line < go") as holder:
        log = first.folder / "log"
        go = first.folder / "go"
        log.unlink(missing_ok=True)
        subprocess.run(["mkfifo", str(go)], check=True)
        wait_until(lambda: log.exists() and log.read_text() == "first\n")
        with running(second, "lock", prefix, "echo second >> log") as waiter:
            wait_until(lambda: len(sessions(first, prefix)) == 2)
            assert waiter.poll() is None
            go.write_text("go\n")
            assert holder.wait(_LIMIT_S) == 0
            assert waiter.wait(_LIMIT_S) == 0
    assert log.read_text() == "first\nsecond\n"
    go.unlink()
    assert keys(first, "wait") == []


def test_a_lock_that_one_holds_the_other_gives_up_on(pair: tuple[Side, Side]) -> None:
    first, second = pair
    with running(first, "lock", "-shell=false", "giveup", "sleep", "30") as holder:
        wait_until(lambda: keys(second, "giveup/.lock"))
        with running(second, "lock", "-timeout=200ms", "giveup", "true") as waiter:
            assert waiter.wait(_LIMIT_S) == 1
        assert holder.poll() is None
    assert keys(first, "giveup/") == []


def test_a_semaphore_has_places_for_both_and_no_more(pair: tuple[Side, Side]) -> None:
    first, second = pair
    with (
        running(first, "lock", "-n=2", "-shell=false", "places", "sleep", "30"),
        running(second, "lock", "-n=2", "-shell=false", "places", "sleep", "30") as two,
    ):
        wait_until(lambda: holders(first, "places") == 2)
        with running(first, "lock", "-n=2", "places", "true") as three:
            wait_until(lambda: len(keys(second, "places/")) == 4)
            assert three.poll() is None
            assert holders(first, "places") == 2
            end(two)
            assert three.wait(_LIMIT_S) == 0
    assert keys(first, "places/") == []


def sessions(side: Side, prefix: str) -> list[dict[str, Any]]:
    """The sessions of locks at that prefix."""
    rows: list[dict[str, Any]] = json.loads(side.ask("GET", "/v1/session/list"))
    return [row for row in rows if row["Name"].endswith(f" at '{prefix}'")]


def holders(side: Side, prefix: str) -> int:
    if f"{prefix}/.lock" not in keys(side, prefix):
        return 0
    return len(json.loads(run(side, "kv", "get", f"{prefix}/.lock"))["Holders"])


def test_the_sessions_of_both_look_the_same(pair: tuple[Side, Side]) -> None:
    rows = []
    for side in pair:
        with running(side, "lock", "-shell=false", "same", "sleep", "30"):
            wait_until(partial(keys, side, "same/.lock"))
            (row,) = sessions(side, "same")
            key = json.loads(side.ask("GET", "/v1/kv/same/.lock"))[0]
        assert key["Session"] == row["ID"]
        rows.append([row["Name"], row["TTL"], row["LockDelay"], row["Behavior"], key["Flags"]])
    assert rows[0] == rows[1]


# ---------------------------------------------------------------- watches


def test_a_watch_of_consul_sees_every_change(programs: dict[str, Side]) -> None:
    consul, fairlead = programs["consul"], programs["fairlead"]
    log = consul.folder / "seen"
    log.unlink(missing_ok=True)
    run(fairlead, "kv", "put", "seen/a", "one")
    with running(consul, "watch", "-type=key", "-key=seen/a", "cat >> seen"):
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) == 1)
        run(fairlead, "kv", "put", "seen/a", "two")
        wait_until(lambda: len(log.read_text().splitlines()) == 2)
        run(fairlead, "kv", "delete", "seen/a")
        wait_until(lambda: len(log.read_text().splitlines()) == 3)
    values = [json.loads(line) for line in log.read_text().splitlines()]
    assert [value and value["Value"] for value in values] == ["b25l", "dHdv", None]


# ---------------------------------------------------------------- snapshots


def test_what_one_saves_the_other_restores(pair: tuple[Side, Side]) -> None:
    first, second = pair
    run(first, "kv", "put", "kept/a", "before")
    assert run(first, "snapshot", "save", "kept.snap").startswith("Saved and verified snapshot to ")
    assert run(first, "snapshot", "inspect", "kept.snap") == run(
        second, "snapshot", "inspect", "kept.snap"
    )
    run(first, "kv", "put", "kept/a", "after")
    assert run(second, "snapshot", "restore", "kept.snap") == "Restored snapshot\n"
    assert run(first, "kv", "get", "kept/a") == "before\n"


@pytest.mark.parametrize("name", _PROGRAMS)
def test_info_is_in_sorted_sections(name: str, programs: dict[str, Side]) -> None:
    lines = run(programs[name], "info").splitlines()
    sections = [line for line in lines if not line.startswith("\t")]
    assert sections == sorted(sections)
    assert {"agent:", "build:", "consul:", "raft:", "runtime:"} <= set(sections)
    assert all(" = " in line for line in lines if line.startswith("\t"))

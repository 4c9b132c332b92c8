"""`fairlead agent` as its operator meets it: starting, reloading, stopping, refusing to start."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import FAIRLEAD, AgentProcess, fairlead_agent, free_port

pytestmark = pytest.mark.xdist_group("agent")


Start = Callable[..., AgentProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start agents with their data in `tmp_path`; those still running are stopped."""
    started: list[AgentProcess] = []

    def start_one(*flags: str, dev: bool = False) -> AgentProcess:
        started.append(fairlead_agent(tmp_path, *flags, dev=dev).start())
        return started[-1]

    yield start_one
    for agent in started:
        agent.stop()


def refused(*arguments: str) -> subprocess.CompletedProcess[str]:
    """An agent that must not start."""
    command = [*FAIRLEAD, "agent", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done


def get(agent: AgentProcess, path: str) -> bytes:
    with urllib.request.urlopen(agent.url + path, timeout=10) as reply:
        content: bytes = reply.read()
        return content


def put(agent: AgentProcess, path: str, body: bytes) -> bytes:
    request = urllib.request.Request(agent.url + path, body, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as reply:
        content: bytes = reply.read()
        return content


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_what_was_written_is_there_after_a_restart(start: Start) -> None:
    agent = start()
    put(agent, "/v1/kv/web/key1", b"value1")
    before = get(agent, "/v1/kv/web/key1")
    identity = json.loads(get(agent, "/v1/agent/self"))["Config"]["NodeID"]
    assert agent.stop() == 0
    agent.start()
    assert get(agent, "/v1/kv/web/key1") == before
    assert json.loads(get(agent, "/v1/agent/self"))["Config"]["NodeID"] == identity
    assert agent.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_though_clients_wait(
    start: Start, tmp_path: Path, number: signal.Signals
) -> None:
    pid_file = tmp_path / "agent.pid"
    agent = start(f"-pid-file={pid_file}")
    assert pid_file.read_text() == f"{agent.pid}\n"
    waiting = subprocess.Popen(
        ["curl", "-s", f"{agent.url}/v1/kv/none?index=99999&wait=5m"], stdout=subprocess.DEVNULL
    )
    until(lambda: b'"blocking_queries":"1"' in get(agent, "/v1/agent/self"))
    agent.send(number)
    assert agent.wait() == 0
    assert waiting.wait(10) != 0
    assert not pid_file.exists()
    assert f"caught signal: signal={number.name}" in agent.log.read_text()


def test_the_banner_says_where_it_listens(start: Start) -> None:
    agent = start("-node=n1", "-datacenter=paris", dev=True)
    banner = agent.log.read_text()
    assert "==> Starting Fairlead agent..." in banner
    assert f"Client Addr: http://127.0.0.1:{agent.port}" in banner
    assert "Datacenter: 'paris'" in banner


def test_a_reload_takes_over_what_it_can_and_names_what_needs_a_restart(
    start: Start, tmp_path: Path
) -> None:
    config = tmp_path / "agent.json"
    config.write_text('{"log_level": "info"}')
    agent = start(f"-config-file={config}")
    limits = '"limits": {"kv_max_value_size": 3}'
    config.write_text(f'{{"log_level": "debug", {limits}, "session_ttl_min": "5s"}}')
    agent.send(signal.SIGHUP)
    until(lambda: "configuration reloaded" in agent.log.read_text())
    get(agent, "/v1/status/leader")
    finished = "Request finished: method=GET url=/v1/status/leader"
    until(lambda: finished in agent.log.read_text())
    log = agent.log.read_text()
    assert "this change needs a restart: key=session_ttl_min" in log
    with pytest.raises(urllib.error.HTTPError, match="413"):
        put(agent, "/v1/kv/a", b"four")


def test_a_faulty_reload_changes_nothing(start: Start, tmp_path: Path) -> None:
    config = tmp_path / "agent.json"
    config.write_text("{}")
    agent = start(f"-config-file={config}")
    config.write_text('{"bogus": 1}')
    agent.send(signal.SIGHUP)
    until(lambda: "configuration was not reloaded" in agent.log.read_text())
    assert put(agent, "/v1/kv/a", b"v") == b"true"


def test_unused_keys_of_consul_s_are_one_warning_each(start: Start) -> None:
    agent = start("-ui", "-hcl=connect { enabled = true }", dev=True)
    log = agent.log.read_text()
    for key in ("ui", "connect"):
        assert log.count(f"configuration key has no effect yet: key={key}\n") == 1


def test_an_unknown_key_names_itself_its_file_and_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "agent.hcl").write_text('server = true\ndata_dri = "/tmp"\n')
    done = refused(f"-config-dir={tmp_path}")
    assert done.stderr.splitlines() == [
        "==> failed to parse agent.hcl: 1 error occurred:",
        '\t* invalid config key data_dri (did you mean "data_dir"?)',
    ]


def test_without_a_mode_it_says_what_is_missing() -> None:
    assert refused().stderr == "==> data_dir cannot be empty\n"


def test_a_taken_port_is_one_clear_line(start: Start) -> None:
    agent = start(dev=True)
    done = refused("-dev", f"-http-port={agent.port}")
    assert done.stderr.splitlines()[0] == (
        f"==> cannot listen on 127.0.0.1:{agent.port}: address already in use"
    )


def test_a_data_directory_in_use_is_one_clear_line(start: Start, tmp_path: Path) -> None:
    agent = start()
    done = refused("-server", f"-data-dir={tmp_path / 'data'}", f"-http-port={free_port()}")
    assert done.stderr.splitlines()[0] == (
        f'==> data directory "{tmp_path}/data" is in use by another process (pid {agent.pid})'
    )


def test_a_data_directory_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = refused("-server", f"-data-dir={tmp_path}/file/data")
    assert "cannot be written: Not a directory" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-dev", "-bogus"], "flag provided but not defined: -bogus"),
        (["-dev", "-http-port=many"], 'invalid value "many" for flag -http-port: parse error'),
        (["-dev", "-server=perhaps"], 'invalid boolean value "perhaps" for -server'),
        (["-dev", "-hcl=ports {"], "failed to parse -hcl"),
        (["-dev", '-hcl=engine = "raft:x"'], 'engine "raft:x" is not known'),
        (["-dev", "-config-file=/none.hcl"], "cannot read /none.hcl: No such file or directory"),
        (["-dev", "-pid-file=/none/x.pid"], "cannot write pid_file /none/x.pid"),
        (["-dev", "-log-file=/dev/null/x"], "cannot write log_file"),
        (["-dev", "extra"], "extra"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], message: str) -> None:
    assert message in refused(*arguments).stderr


def test_https_and_unix_sockets_work_from_flags_and_files(start: Start, tmp_path: Path) -> None:
    socket_path = tmp_path / "http.sock"
    addresses = f'addresses {{ http = "127.0.0.1 unix://{socket_path}" }}'
    agent = start(f"-hcl={addresses}", dev=True)
    command = ["curl", "-s", "--unix-socket", str(socket_path), "http://localhost/v1/status/leader"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b'"127.0.0.1:8300"'
    agent.stop()
    assert not socket_path.exists()

"""Patroni with its store on Fairlead elects one leader, and another when that is killed."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.machines import eventually, program
from tests.processes import AgentProcess, fairlead_agent, free_port

pytestmark = pytest.mark.xdist_group("patroni")

# A session of the least TTL Consul knows, which ends at twice that.
_FAILOVER_S = 120.0
_CONFIG = """
scope: shop
name: {name}
restapi: {{listen: '127.0.0.1:{rest}', connect_address: '127.0.0.1:{rest}'}}
consul: {{url: 'http://127.0.0.1:{agent}', register_service: true}}
bootstrap:
  dcs: {{ttl: 20, loop_wait: 1, retry_timeout: 3, maximum_lag_on_failover: 1048576,
         postgresql: {{parameters: {{fsync: 'off', max_connections: 20}}}}}}
  initdb: [{{encoding: UTF8}}, data-checksums, no-sync]
postgresql:
  listen: '127.0.0.1:{port}'
  connect_address: '127.0.0.1:{port}'
  data_dir: {folder}/data
  bin_dir: {bin}
  pgpass: {folder}/pgpass
  pg_hba: ['host all all 127.0.0.1/32 trust', 'host replication all 127.0.0.1/32 trust',
           'local all all trust']
  parameters: {{unix_socket_directories: '{folder}'}}
  authentication:
    superuser: {{username: postgres, password: x}}
    replication: {{username: replicator, password: x}}
"""


class Member:
    """One Patroni with its PostgreSQL, in a group of its own."""

    def __init__(self, name: str, folder: Path, agent: AgentProcess, bin_dir: Path) -> None:
        self.name = name
        self.rest = free_port()
        self.port = free_port()
        self._folder = folder / name
        self._folder.mkdir()
        self._config = self._folder / "patroni.yml"
        fields = {"name": name, "rest": self.rest, "agent": agent.port, "port": self.port}
        self._config.write_text(_CONFIG.format(**fields, folder=self._folder, bin=bin_dir))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        user = "postgres" if os.geteuid() == 0 else None
        python = sys.executable if user is None else _system_python()
        if user:
            for path in (self._folder, self._config):
                shutil.chown(path, user)
        self._folder.chmod(0o700)
        environment = dict(os.environ, PYTHONPATH=sysconfig.get_path("purelib"))
        with open(self._folder.parent / f"{self.name}.log", "ab") as log:
            self._process = subprocess.Popen(
                [python, "-m", "patroni", str(self._config)],
                stdout=log,
                stderr=log,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                env=environment,
                cwd="/",
                start_new_session=True,
            )

    def kill(self) -> None:
        """Patroni and PostgreSQL at once, as when the machine fails."""
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError, ProcessLookupError):
            postmaster = int((self._folder / "data/postmaster.pid").read_text().splitlines()[0])
            os.kill(postmaster, signal.SIGKILL)
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def role(self) -> str:
        """What the member says of itself, empty when it says nothing."""
        try:
            url = f"http://127.0.0.1:{self.rest}/patroni"
            with urllib.request.urlopen(url, timeout=5) as reply:
                state = json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                state = json.load(error)
        except (OSError, ValueError):
            return ""
        return str(state.get("role", "")) if state.get("state") == "running" else ""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder PostgreSQL's user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="patroni-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    agent = fairlead_agent(tmp_path, "-node=n1", dev=True).start()
    yield agent
    agent.stop()


@pytest.fixture
def members(folder: Path, agent: AgentProcess) -> Iterator[list[Member]]:
    postgres = program("initdb", "postgresql", at="/usr/lib/postgresql/*/bin/initdb")
    pytest.importorskip("patroni", reason="the package patroni is not installed")
    members = [Member(name, folder, agent, Path(postgres).parent) for name in ("pg1", "pg2")]
    for member in members:
        member.start()
    yield members
    for member in members:
        member.kill()


@functools.cache
def _system_python() -> str:
    """A Python of this version that another user may run: PostgreSQL refuses to run as root."""
    minor = f"python3.{sys.version_info[1]}"
    for candidate in (sys.executable, f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run([candidate, "-c", ""], user="postgres", check=True, cwd="/")
            return candidate
    pytest.skip(f"PostgreSQL's user cannot run {minor}")


def leaders(members: list[Member]) -> list[str]:
    return [member.name for member in members if member.role() == "primary"]


def test_a_killed_leader_is_followed_by_exactly_one_other(members: list[Member]) -> None:
    eventually(
        lambda: sorted(member.role() for member in members) == ["primary", "replica"],
        "one leads, one follows",
        within_s=_FAILOVER_S,
    )
    (first,) = leaders(members)
    killed = next(member for member in members if member.name == first)
    other = next(member for member in members if member.name != first)
    killed.kill()
    eventually(lambda: leaders(members) == [other.name], "the other leads", within_s=_FAILOVER_S)
    killed.start()
    eventually(lambda: killed.role() == "replica", "the first follows", within_s=_FAILOVER_S)
    assert leaders(members) == [other.name]

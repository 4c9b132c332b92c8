"""Real etcds as child processes, and engines on them."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fairlead.engines import Batch, Elected, FeedEvent, Leader, StoredRow
from fairlead.engines.etcd.address import read_address
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.engine import EtcdEngine
from fairlead.errors import UnavailableError
from tests.processes import free_port, peer

# As a supervised one has them.
LIMITS = "max_txn_ops=1024&max_request_bytes=8388608"
LIMIT_FLAGS = ["--max-txn-ops=1024", "--max-request-bytes=8388608"]
_START_S = 30.0
_EVENT_S = 20.0
_READY = b"serving client traffic"


def etcd_binary() -> str:
    """The path of a real etcd; the test is skipped when none can be had."""
    found = os.environ.get("FAIRLEAD_TEST_ETCD") or shutil.which("etcd") or peer("etcd")
    if found is None:
        pytest.skip("no real etcd: apt cannot be reached, and none is on PATH")
    return found


class Etcd:
    """One etcd on a free port; its data outlives a restart, and goes with `remove`."""

    def __init__(
        self, *flags: str, scheme: str = "http", name: str = "one", socket: str = ""
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fairlead-etcd-"))
        self.port, peer_port = free_port(), free_port()
        self.endpoint = f"127.0.0.1:{self.port}"
        self.log = self.folder / "etcd.log"
        client = f"{scheme}://{self.endpoint}"
        if socket:
            # A name of the form host:port, and a file of that name where etcd runs.
            client, self.endpoint = f"unix://{socket}", f"unix:{self.folder / socket}"
        other = f"http://127.0.0.1:{peer_port}"
        self.as_peer = f"{name}={other}"
        self.data = self.folder / "data"
        self.as_member = [f"--name={name}", f"--initial-advertise-peer-urls={other}"]
        self.as_member += [f"--initial-cluster={self.as_peer}"]
        self.flags = [f"--data-dir={self.data}", *self.as_member]
        self.flags += [f"--listen-client-urls={client}"]
        self.flags += [f"--advertise-client-urls=http://127.0.0.1:{self.port}"]
        self.flags += [f"--listen-peer-urls={other}", "--logger=zap"]
        self.flags += ["--heartbeat-interval=50", "--election-timeout=500", *flags]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Etcd:
        seen = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            command = [etcd_binary(), *self.flags]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        deadline = time.monotonic() + _START_S
        while _READY not in self.log.read_bytes()[seen:]:
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self.log.read_text()
                self.remove()
                raise RuntimeError(f"etcd did not start:\n{text}")
            time.sleep(0.02)
        return self

    def ctl(self, *arguments: str) -> str:
        """What etcdctl prints; everything else stands still meanwhile."""
        command = [str(Path(etcd_binary()).with_name("etcdctl")), f"--endpoints={self.endpoint}"]
        done = subprocess.run(
            [*command, *arguments],
            env={"ETCDCTL_API": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def pause(self) -> None:
        """Stand still, all of it, when this returns."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restore(self, file: Path) -> None:
        """Have a saved snapshot for data; not while it runs."""
        shutil.rmtree(self.data)
        self.ctl("snapshot", "restore", str(file), f"--data-dir={self.data}", *self.as_member)

    def kill(self) -> None:
        """As a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, prefix: str = "", options: str = LIMITS) -> str:
        """A new cluster's, unless it is given a prefix that is in use."""
        return f"{self.endpoint}?prefix={prefix or uuid.uuid4().hex}&{options}"

    def client(self) -> Client:
        return Client(read_address(self.endpoint))


class Server:
    """An engine and what its feed has brought: what a server is to the others."""

    def __init__(self, address: str, name: str) -> None:
        self.engine = EtcdEngine(read_address(address))
        self.me = Leader(name, f"id-{name}", f"{name}:8300")
        self.events: list[FeedEvent] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self, *, stands: bool = True) -> Server:
        await self.engine.load()
        self._task = asyncio.create_task(self._follow())
        if stands:
            self.engine.stand(self.me)
        return self

    async def _follow(self) -> None:
        async for event in self.engine.feed():
            self.events.append(event)
            self._news.set()

    async def sees(self, wanted: FeedEvent | type, count: int = 1) -> list[FeedEvent]:
        """All events so far, as soon as there are `count` such ones among them."""
        async with asyncio.timeout(_EVENT_S):
            while True:
                found = [e for e in self.events if e == wanted or type(e) is wanted]
                if len(found) >= count:
                    return self.events
                assert self._task is not None
                if self._task.done():
                    self._task.result()
                self._news.clear()
                await self._news.wait()

    async def leads(self) -> Server:
        await self.sees(Elected(self.me))
        return self

    async def crash(self) -> None:
        """Stop as a killed process does: nothing is given back."""
        self.engine.client.lease_revoke = _unsent  # type: ignore[method-assign]
        engine = self.engine
        for task in (self._task, engine._runs, engine._campaign._task, engine._finishing._task):
            if task is not None:
                task.cancel()
        await self.engine.client.close()

    async def close(self) -> None:
        await self.engine.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


async def _unsent(lease: int, *, timeout: float | None = None) -> None:
    raise UnavailableError("the process is dead")


@asynccontextmanager
async def servers(address: str, *names: str) -> AsyncIterator[list[Server]]:
    """Servers on one prefix; the first of them leads."""
    started = [Server(address, name) for name in names]
    try:
        for number, server in enumerate(started):
            await server.start()
            if number == 0:
                await server.leads()
        yield started
    finally:
        for server in started:
            await server.close()


def batch(index: int, *rows: tuple[str, str, str]) -> Batch:
    """Puts, with the index of each table they touch."""
    tables = {table: index for table, _, _ in rows}
    return Batch(index, (), (), [StoredRow(*row) for row in rows], tables)

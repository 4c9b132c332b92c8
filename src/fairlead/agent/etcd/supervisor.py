"""One of several servers: it finds the others, runs its etcd, and sees to it.

`supervised` is awaited before the agent is made; what it returns has the
address of the engine, and is stopped last.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple
from urllib.parse import quote

from msgspec import structs

from fairlead.agent.cluster import secret
from fairlead.agent.cluster.addresses import JoinError, split_address
from fairlead.agent.cluster.identity import server_port
from fairlead.agent.etcd.admission import Admission
from fairlead.agent.etcd.binary import Binary, find_binary
from fairlead.agent.etcd.certificates import Certificates, certificates
from fairlead.agent.etcd.command import Limits, command, host_port
from fairlead.agent.etcd.folder import Folder
from fairlead.agent.etcd.gathering import Gathering
from fairlead.agent.etcd.listening import Listening
from fairlead.agent.etcd.members import Members
from fairlead.agent.etcd.output import Verdict
from fairlead.agent.etcd.peers import (
    AGREED,
    GATHERING,
    JOINING,
    PROMISED,
    RUNNING,
    Peer,
    Plan,
    View,
)
from fairlead.agent.etcd.plan_file import PlanFile
from fairlead.agent.etcd.process import EtcdProcess
from fairlead.agent.etcd.progress import Progress
from fairlead.agent.etcd.questions import ask
from fairlead.agent.etcd.upkeep import Upkeep
from fairlead.agent.node import own_node
from fairlead.agent.tasks import Tasks
from fairlead.clock import Clock
from fairlead.engines.etcd.address import read_address
from fairlead.engines.etcd.client import Client
from fairlead.errors import FairleadError, SettingsError, UnavailableError
from fairlead.settings.settings import Settings

__all__ = ["Supervisor", "prepared", "supervised"]

log = logging.getLogger("agent.etcd")

_POLL_S = 0.1
_PROMOTE_S = 1.0
_REMEDIES = {
    Verdict.REMOVED: "this server was removed from the cluster; to let it join again, empty "
    "{folder} and start it",
    Verdict.LOST: "the data in {folder} is older than what this server has confirmed, or gone; "
    "empty that directory and start again: it joins anew and gets everything from the others",
    Verdict.DAMAGED: "the data in {folder} is damaged; empty that directory and start again: it "
    "joins anew and gets everything from the others",
    Verdict.CHANGED: "the members of the cluster are others than those in {folder}/cluster.json; "
    "empty that directory and start again: it joins anew",
    Verdict.STRANGER: "the data in {folder} belongs to another cluster than that of the servers it "
    "meets; start it with the data directory of this one, or an empty one",
    Verdict.PORT: "etcd cannot listen on {listen}: address already in use",
    Verdict.FULL: "the disk of {folder} is full; etcd is started again until it can write there",
}


async def prepared(settings: Settings, clock: Clock, limits: Limits | None = None) -> Supervisor:
    """One to `start`: there is a fit etcd, and the data directory is this server's.

    Raises:
        SettingsError: it cannot be done as it was told.
    """
    binary = await find_binary(settings.etcd_binary)
    folder = Folder(settings.data_dir)
    try:
        given = _Given(settings, clock, limits or Limits(), binary, folder)
        return Supervisor(given)
    except BaseException:
        folder.close()
        raise


async def supervised(settings: Settings, clock: Clock, limits: Limits | None = None) -> Supervisor:
    """One that has started."""
    supervisor = await prepared(settings, clock, limits)
    try:
        await supervisor.start()
    except BaseException:
        await supervisor.stop()
        raise
    return supervisor


class _ChangedError(FairleadError):
    """The cluster has other members than when it took this server in."""


class _Given(NamedTuple):
    settings: Settings
    clock: Clock
    limits: Limits
    binary: Binary
    folder: Folder


class Supervisor:
    """This server's etcd, and what its agent is given of it.

    `admission` answers servers that look for a cluster (`ServedLink`), `members`
    are those of the cluster. `fail` is called when etcd cannot run any more.
    """

    admission: Admission

    def __init__(self, given: _Given) -> None:
        self._given = given
        settings, folder = given.settings, given.folder
        self._key = secret.read_key(settings.encrypt)
        self._certificates: Certificates = certificates(settings, self._key, folder.tls)
        self._file = PlanFile(folder.root)
        stage, plan = self._file.load()
        self._view = View(
            run=uuid.uuid4().hex,
            seq=0,
            peer=self._own_peer(),
            datacenter=settings.datacenter,
            expect=settings.bootstrap_expect,
            trust=self._certificates.trust,
            stage=stage,
            plan=plan,
        )
        self._listening: Listening | None = None
        self._process: EtcdProcess | None = None
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.client = Client(read_address(f"unix:{folder.socket}"))
        self.members = Members(self.client)
        self.fail: Callable[[str], None] = lambda why: log.error("%s", why)
        self._progress = Progress()

    def _own_peer(self) -> Peer:
        settings = self._given.settings
        node = own_node(settings, self._given.clock.new_id())
        host = settings.advertise_addr
        port = settings.ports_server if settings.ports_server > 0 else settings.ports_serf_lan
        url = f"{self._certificates.scheme}://{host_port(host, settings.ports_etcd)}"
        return Peer(node.id, node.node, host_port(host, port), url)

    @property
    def engine_address(self) -> str:
        """For `open_engine`."""
        limits, datacenter = self._given.limits, self._given.settings.datacenter
        return (
            f"etcd:unix:{self._given.folder.socket}?datacenter={datacenter}"
            f"&prefix=/fairlead/{datacenter}/&max_txn_ops={limits.max_txn_ops}"
            f"&max_request_bytes={limits.max_request_bytes}"
            f"&cluster_file={quote(str(self._given.folder.root / 'cluster-id'))}"
        )

    @property
    def pid(self) -> int:
        """Of etcd; 0 while it does not run."""
        return self._process.pid if self._process is not None else 0

    # ---------------------------------------------------------------- the start

    async def start(self) -> None:
        """Find the others if this server does not know them yet, start etcd, wait until it answers.

        It waits as long as it takes; cancel it to end that, and `stop`.

        Raises:
            SettingsError: it cannot be done as it was told.
        """
        settings = self._given.settings
        if self._certificates.warning:
            log.warning("%s", self._certificates.warning)
        listening = Listening(self._view.peer.name, self._key, lambda other: self._said())
        self._listening = listening
        named = {"ports.server": settings.ports_server, "ports.serf_lan": settings.ports_serf_lan}
        await listening.start(settings.bind_addr, named)
        while not await self._is_in(listening):
            log.info("the members have changed meanwhile; looking for the cluster again")
        await self._or_fault(self._follow_own_address())
        self._view = structs.replace(self._view, stage=RUNNING)
        self.admission = Admission(self.client, self._view, self._key)
        await listening.stop()

    async def _is_in(self, listening: Listening) -> bool:
        """Find the others if need be, start etcd, wait until it answers, and votes."""
        if self._view.stage in (GATHERING, PROMISED):
            await self._gather(listening)
        self._process = EtcdProcess(self._command, self._given.folder.run, self._failed)
        self._process.start()
        try:
            await self._or_fault(self._wait_until_it_answers())
            if self._view.stage == JOINING:
                await self._or_fault(self._wait_for_the_vote())
        except _ChangedError:
            await self._process.stop()
            self._fault = asyncio.get_running_loop().create_future()
            self._settle(GATHERING, None)
            listening.answer = lambda other: self._said()
            return False
        return True

    async def _gather(self, listening: Listening) -> None:
        settings = self._given.settings
        joined = dict.fromkeys([*settings.start_join, *settings.retry_join])
        port = settings.ports_serf_lan if settings.ports_serf_lan > 0 else server_port(settings)
        gathering = Gathering(
            self._view, self._file.keep, self._key, joined, port, self._given.clock
        )
        listening.answer = gathering.heard
        plan = await gathering.run()
        stage, _ = self._file.load()
        self._view = structs.replace(self._view, stage=stage, plan=plan)

    def _said(self) -> View:
        """To servers that ask before etcd answers here; time makes its numbers rise."""
        return structs.replace(self._view, seq=self._given.clock.monotonic_ns())

    async def _or_fault(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, unless etcd fails for good meanwhile."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait([task, self._fault], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
        if self._fault.done():
            self._fault.result()
        await task

    async def _wait_until_it_answers(self) -> None:
        plan = self._view.plan
        names = ", ".join(peer.name for peer in plan.members) if plan is not None else ""
        begin = self._given.clock.monotonic_ns()
        while True:
            try:
                await self.client.status()
                return
            except FairleadError as error:
                log.debug("etcd does not answer yet: why=%s", error)
            if self._given.clock.monotonic_ns() - begin > 3e9:
                self._progress.info(f"waiting for etcd: most of the servers have to run ({names})")
            await asyncio.sleep(_POLL_S)

    async def _wait_for_the_vote(self) -> None:
        """Ask the members to be one of those that vote, until it is caught up."""
        settings, plan = self._given.settings, self._view.plan
        assert plan is not None, "it joins by one"
        addresses = dict.fromkeys([*settings.retry_join, *(peer.address for peer in plan.members)])
        addresses.pop("", None)
        while True:
            for address in addresses:
                host, port = split_address(address, settings.ports_serf_lan)
                wish = structs.replace(self._said(), wants_in=True)
                try:
                    answer = await ask(host, port, wish, self._key)
                except JoinError as error:
                    log.debug("no answer: address=%s why=%s", address, error)
                    continue
                if answer.is_in:
                    self._settle(AGREED, plan)
                    return
                if answer.note:
                    self._progress.info(
                        f"waiting for a vote: {answer.peer.name} says {answer.note}"
                    )
            await asyncio.sleep(_PROMOTE_S)

    async def _follow_own_address(self) -> None:
        """Should this server have moved since it joined, tell the others where it is."""
        own = self._view.peer.url
        member_id = (await self.client.status()).header.member_id
        for member in await self._members():
            if member_id == member.ID and list(member.peerURLs) != [own]:
                log.warning("this server has moved: from=%s to=%s", member.peerURLs[0], own)
                try:
                    await self.client.member_update(member_id, [own])
                except FairleadError as error:
                    log.error("the others do not know yet that this server moved: why=%s", error)

    async def _members(self) -> list[Any]:
        """Those etcd knows; one that has just been given its vote may not know of it yet."""
        while True:
            try:
                return list(await self.client.member_list())
            except UnavailableError as error:
                log.debug("the members are not known yet: why=%s", error)
            await asyncio.sleep(_POLL_S)

    def _settle(self, stage: str, plan: Plan | None) -> None:
        self._file.keep(stage, plan)
        self._view = structs.replace(self._view, stage=stage, plan=plan)

    def _command(self) -> list[str]:
        """At every start anew, for what it needs may have changed."""
        given, plan = self._given, self._view.plan
        assert plan is not None, "etcd is started by one"
        given.folder.clear_socket()
        return command(
            given.binary,
            given.folder,
            self._listen,
            self._view.peer,
            self._view.stage,
            plan,
            self._certificates,
            given.limits,
        )

    @property
    def _listen(self) -> str:
        return host_port(self._given.settings.bind_addr, self._given.settings.ports_etcd)

    # ---------------------------------------------------------------- while it runs

    def keep(
        self, tasks: Tasks, is_leader: Callable[[], bool], fail: Callable[[str], None]
    ) -> None:
        """The agent runs: begin with the upkeep; `fail` ends the agent."""
        self.fail = fail
        upkeep = Upkeep(self.client, self._given.limits, is_leader)
        tasks.start("etcd upkeep", upkeep.run)

    @property
    def _may_join_again(self) -> bool:
        return self._view.stage == JOINING and not self._given.folder.has_data

    async def _failed(self, verdict: Verdict, last: str) -> None:
        """etcd ended, and says why."""
        text = _REMEDIES[verdict].format(folder=self._given.folder.root, listen=self._listen)
        is_running = self._view.stage == RUNNING
        if verdict is Verdict.FULL or (verdict is Verdict.PORT and is_running):
            log.error("%s", text)
        elif is_running:
            self.fail(f"{text} (etcd: {last})")
        elif self._fault.done():
            return
        elif verdict is Verdict.CHANGED and self._may_join_again:
            self._fault.set_exception(_ChangedError(text))
        else:
            hint = "is another agent running? Choose another port with ports.etcd"
            error = SettingsError(text, hint=hint if verdict is Verdict.PORT else f"etcd: {last}")
            self._fault.set_exception(error)

    async def stop(self) -> None:
        """End etcd, and let go of the directory; the engine is closed."""
        if self._listening is not None:
            await self._listening.stop()
        await self.client.close()
        if self._process is not None:
            await self._process.stop()
        if self._fault.done():
            self._fault.exception()
        self._given.folder.close()

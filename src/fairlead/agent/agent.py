"""One agent: its settings, its store, its node, and the loops it runs by itself."""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from fairlead.agent import runtime
from fairlead.agent.checks.runner import Runner
from fairlead.agent.cluster.cluster import ClientCluster, Cluster, ServerCluster
from fairlead.agent.cluster.identity import server_port
from fairlead.agent.cluster.link import Link
from fairlead.agent.declared import Declared, declared
from fairlead.agent.duties import Duties
from fairlead.agent.node import keep_registered, own_node
from fairlead.agent.registrations import Registrations
from fairlead.agent.registry import Registry
from fairlead.agent.replaced import Replacements
from fairlead.agent.server_rows import with_servers_of
from fairlead.agent.session_timers import SessionTimers
from fairlead.agent.tasks import Tasks
from fairlead.client import TLSOptions
from fairlead.clock import Clock
from fairlead.core.keys import node_key
from fairlead.engines import Contents, Engine, SharedEngine
from fairlead.engines.awaited import AwaitedEngine
from fairlead.metrics import Metrics
from fairlead.settings.settings import Settings
from fairlead.store import Store

if TYPE_CHECKING:
    from fairlead.agent.etcd.supervisor import Supervisor

__all__ = ["Agent"]

log = logging.getLogger("agent")


class Agent:
    """What the edges are given. `start` it in the loop that serves them.

    Only a server has a `store`: what needs one is never asked of a client, which
    forwards it over its `link` (`http/forwarding.py`). `registry` works on both.
    """

    store: Store
    session_timers: SessionTimers
    link: Link | None = None
    supervisor: Supervisor | None = None

    def __init__(self, settings: Settings, engine: Engine | None, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.started_ns = clock.now_ns()
        hostname = "" if settings.telemetry_disable_hostname else socket.gethostname()
        self.metrics = Metrics(settings.telemetry_metrics_prefix, hostname)
        self.node = own_node(settings, clock.new_id())
        self.cluster: Cluster
        if settings.server:
            assert engine is not None, "a server keeps state"
            self.store = Store(engine, self.metrics)
            self.session_timers = SessionTimers(self.store, clock)
            self.cluster = ServerCluster(settings, self.node, self.store, clock)
            self._duties = Duties(
                self.store, self.session_timers, self.cluster, clock, settings.tombstone_ttl
            )
        else:
            self.cluster = ClientCluster(settings, self.node, clock)
            self.link = self.cluster.link
        self.registry: Registry = self.cluster.registry
        self.registrations = Registrations(
            settings, self.node, self.registry, clock, nodes=lambda: self.cluster.nodes
        )
        self.registrations.local.runner = self._runner()
        self._tasks = Tasks()
        self._keeper = Tasks()
        # Set when the agent is to end by itself; `exit_code` says how.
        self.ended = asyncio.Event()
        self.exit_code = 0
        # Reads the configuration again; whoever read it first says how.
        self.reload: Callable[[], None] = lambda: None

    def _runner(self) -> Runner:
        """What runs the checks of this agent's services."""
        settings = self.settings
        tls = TLSOptions()
        if settings.enable_agent_tls_for_checks:
            tls = TLSOptions(
                settings.ca_file, client_cert=settings.cert_file, client_key=settings.key_file
            )
        report = self.registrations.local.report
        size = settings.check_output_max_size
        return Runner(report, self.clock, output_max_size=size, tls=tls)

    @property
    def server_address(self) -> str:
        """This server as the others would name it; the port is Consul's for servers."""
        return f"{self.node.address}:{server_port(self.settings)}"

    def look_after(self, supervisor: Supervisor) -> None:
        """This server runs an etcd of its own: other servers come to it to be taken in."""
        self.supervisor = supervisor
        supervisor.keep(self._tasks, lambda: self.store.leads, self._fail)
        replacements = Replacements(self)
        supervisor.admission.make_room = replacements.make_room
        self._tasks.start("replacements", replacements.run)
        if isinstance(self.cluster, ServerCluster):
            self.cluster.links.admit = supervisor.admission.admit

    async def open_store(self, engine: SharedEngine) -> None:
        """The engine that was awaited is there: load the state.

        Raises:
            SettingsError: it holds what this version cannot read.
        """
        self.store.take_engine(engine)
        await self.store.open()
        gc.freeze()

    async def start(self) -> None:
        """Load the state, unless its engine is awaited, and begin; a client looks for a server.

        Raises:
            SettingsError: the engine holds what this version cannot read, or nobody to
                join answers.
        """
        if isinstance(self.cluster, ServerCluster):
            await self._start_server(self.cluster)
        else:
            await self.cluster.start(self._tasks, self._fail)
        is_server = self.settings.server
        store, sessions = (self.store, self.session_timers) if is_server else (None, ())
        measure = functools.partial(runtime.run, self.metrics, store, sessions)
        self._tasks.start("runtime", measure)
        await self.registrations.start(self._tasks, declared(self.settings))

    async def _start_server(self, cluster: ServerCluster) -> None:
        if not isinstance(self.store.engine, AwaitedEngine):
            await self.store.open()
            # What was loaded stays: the collector need not look at it again.
            gc.freeze()
        if self.store.following is None:
            self._duties.take_up()
        else:
            self._tasks.start("duties", self._duties.run)
        keep = functools.partial(
            keep_registered, self.store, self.registry, self.node, self.server_address
        )
        self._keeper.start("node", keep)
        cluster.start(self._tasks, self._fail)

    async def listen(self) -> None:
        """Take agents of other nodes in.

        Raises:
            SettingsError: a port cannot be listened on.
        """
        if isinstance(self.cluster, ServerCluster):
            await self.cluster.listen()

    def _fail(self, why: str) -> None:
        """End, and say so by the exit code."""
        log.error("%s", why)
        self.exit_code = 1
        self.ended.set()

    async def leave(self) -> None:
        """Leave the cluster for good, then end."""
        await self._keeper.stop()
        await self.cluster.leave()
        self.ended.set()

    async def stop(self) -> None:
        """Finish the write under way and let go of everything."""
        if self.settings.server and self.store.following is not None:
            await self.store.following.stand_down()
        await self._tasks.stop()
        await self._keeper.stop()
        if self.settings.server:
            await self._duties.stop()
        await self.registrations.close()
        await self.cluster.stop()
        if self.settings.server:
            await self.store.close()

    def take_over(self, definitions: Declared) -> None:
        """After a reload: the settings, and what configuration files define now."""
        reload = functools.partial(self.registrations.reload, definitions, self.settings)
        self._tasks.start("reload", reload)

    async def restore(self, contents: Contents) -> None:
        """Replace the whole state, as from a snapshot; the servers stay those that run."""
        own = node_key(self.node.node)
        await self.store.restore(with_servers_of(self.store.state, own, contents))
        self.session_timers.track_all()
        if isinstance(self.cluster, ServerCluster):
            self.cluster.links.membership.load()

"""One agent: its settings, its store, its node, and the loops it runs by itself."""

from __future__ import annotations

import functools
import gc
import socket

from fairlead.agent import runtime
from fairlead.agent.declared import Declared, declared
from fairlead.agent.node import keep_registered, own_node
from fairlead.agent.registrations import Registrations
from fairlead.agent.registry import StoreRegistry
from fairlead.agent.session_timers import SessionTimers
from fairlead.agent.tasks import Tasks
from fairlead.agent.tombstones import TombstoneReaper
from fairlead.clock import Clock
from fairlead.engines import Contents, Engine
from fairlead.metrics import Metrics
from fairlead.settings.settings import Settings
from fairlead.store import Store

__all__ = ["Agent"]


class Agent:
    """What the edges are given. `start` it in the loop that serves them."""

    def __init__(self, settings: Settings, engine: Engine, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.started_ns = clock.now_ns()
        hostname = "" if settings.telemetry_disable_hostname else socket.gethostname()
        self.metrics = Metrics(settings.telemetry_metrics_prefix, hostname)
        self.store = Store(engine, self.metrics)
        self.node = own_node(settings, clock.new_id())
        self.session_timers = SessionTimers(self.store, clock)
        self.registrations = Registrations(
            settings,
            self.node,
            StoreRegistry(self.store),
            clock,
            nodes=lambda: len(self.store.state.nodes),
        )
        self._tasks = Tasks()

    @property
    def server_address(self) -> str:
        """This server as the others would name it; the port is Consul's for servers."""
        return f"{self.node.address}:8300"

    async def start(self) -> None:
        """Load the state and begin.

        Raises:
            SettingsError: the engine holds what this version cannot read.
        """
        await self.store.open()
        # What was loaded stays: the collector need not look at it again.
        gc.freeze()
        self.session_timers.track_all()
        reaper = TombstoneReaper(self.store, self.clock, self.settings.tombstone_ttl)
        self._tasks.start("sessions", self.session_timers.run)
        self._tasks.start("tombstones", reaper.run)
        keep = functools.partial(keep_registered, self.store, self.node, self.server_address)
        self._tasks.start("node", keep)
        await self.registrations.start(self._tasks, declared(self.settings))
        measure = functools.partial(runtime.run, self.store, self.metrics, self.session_timers)
        self._tasks.start("runtime", measure)

    async def stop(self) -> None:
        """Finish the write under way and let go of everything."""
        await self._tasks.stop()
        await self.registrations.close()
        await self.store.close()

    def take_over(self, definitions: Declared) -> None:
        """After a reload: the settings, and what configuration files define now."""
        reload = functools.partial(self.registrations.reload, definitions, self.settings)
        self._tasks.start("reload", reload)

    async def restore(self, contents: Contents) -> None:
        """Replace the whole state, as from a snapshot."""
        await self.store.restore(contents)
        self.session_timers.track_all()

"""Registering with this agent: checked, kept, applied, and brought into the catalog.

An answer is given once a registration is in the data directory and in the
catalog, or the log says why it is not in the latter yet. What configuration
files define wins over what the API registered under the same id.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable

from msgspec import structs

from fairlead.agent.antientropy import AntiEntropy
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.declared import Declared
from fairlead.agent.definitions import (
    API,
    CONFIGURATION,
    ServiceDefinition,
    check_row,
    check_scripts,
    dns_warning,
)
from fairlead.agent.kept import Kept, KeptCheck, KeptState
from fairlead.agent.local import LocalAgent, LocalService
from fairlead.agent.registry import Registry
from fairlead.agent.tasks import Tasks
from fairlead.clock import Clock
from fairlead.core.rows import CheckRow, NodeRow
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from fairlead.settings.settings import Settings

__all__ = ["Registrations"]

log = logging.getLogger("agent")

_TICK_S = 0.1
_SLOW_TICKS = 10


class Registrations:
    """The services and checks of one agent, on their way in and out."""

    def __init__(
        self,
        settings: Settings,
        node: NodeRow,
        registry: Registry,
        clock: Clock,
        nodes: Callable[[], int],
    ) -> None:
        self.local = LocalAgent(node.node, settings, clock)
        self.local.aliases.registry = registry
        self.sync = AntiEntropy(self.local, registry, node, clock, nodes)
        self.declared = Declared([], [])
        self._kept = Kept(settings.data_dir)
        self._clock = clock
        self._settings = settings
        # What TTL checks were told that is not in their files yet.
        self._unsaved: dict[str, KeptState] = {}

    # ---------------------------------------------------------------- life

    async def start(self, tasks: Tasks, declared: Declared) -> None:
        """Take up what is declared and what was kept, and look after it from now on."""
        for service in declared.services:
            self.local.add_service(service, CONFIGURATION)
            _warn_of_name(service.name)
        for check in declared.checks:
            self.local.add_check(check, CONFIGURATION)
        self.declared = declared
        await self._restore()
        tasks.start("registrations", self._run)
        tasks.start("reaper", self._reap)
        tasks.start("pushes", self.sync.run_pushes)
        tasks.start("sync", self.sync.run_syncs)
        tasks.start("repairs", self.sync.run_repairs)

    async def close(self) -> None:
        self.sync.close()
        await self.local.runner.close()
        await self.local.aliases.close()
        await self._save_states()
        await self._kept.close()

    async def reload(self, declared: Declared, settings: Settings) -> None:
        """Take over declarations that changed; what the API registered stays.

        Raises:
            InvalidError: one of them cannot be; then nothing has changed.
        """
        self.local.settings = settings
        for service in declared.services:
            self.local.checked(service, CONFIGURATION)
        old, self.declared = self.declared, declared
        named = {service.own_id: service for service in declared.services}
        checks = {check.check_id: check for check in declared.checks}
        for gone in old.services:
            if gone.own_id not in named:
                self.local.remove_service(gone.own_id)
        for check in old.checks:
            if check.check_id not in checks:
                self.local.remove_check(check.check_id)
        before = {service.own_id: service for service in old.services}
        for service_id, service in named.items():
            if before.get(service_id) != service or service_id not in self.local.services:
                self.local.add_service(service, CONFIGURATION, replace_checks=True)
                await self._kept.forget_service(service_id)
        known = {check.check_id: check for check in old.checks}
        for check_id, check in checks.items():
            if known.get(check_id) != check or check_id not in self.local.checks:
                self.local.add_check(check, CONFIGURATION)
        await self.sync.flush()

    # ---------------------------------------------------------------- services

    async def register_service(
        self, definition: ServiceDefinition, *, replace_checks: bool
    ) -> None:
        """Raises: InvalidError, in Consul's words; UnavailableError when it cannot be kept."""
        service, checks = self.local.checked(definition, API)
        _warn_of_name(definition.name)
        rows = [KeptCheck(check_row(self.local.node, check, service), check) for check in checks]
        await self._kept.save_service(service, definition.token, rows)
        before = set(self.local.checks_of(service.id))
        self.local.add_service(definition, API, replace_checks=replace_checks)
        gone = before - self.local.checks.keys()
        await self.sync.flush()
        await self._forget_checks(gone)

    async def deregister_service(self, service_id: str) -> None:
        if service_id not in self.local.services:
            log.warning("no such service to deregister: service=%s", service_id)
            return
        checks = self.local.remove_service(service_id)
        await self.sync.flush()
        await self._kept.forget_service(service_id)
        await self._forget_checks(checks)

    async def set_service_maintenance(self, service_id: str, *, enable: bool, reason: str) -> None:
        """Raises: NotFoundError when there is no such service."""
        change = functools.partial(self.local.set_service_maintenance, service_id)
        await self._maintained(change(enable=enable, reason=reason))

    async def set_node_maintenance(self, *, enable: bool, reason: str) -> None:
        await self._maintained(self.local.set_node_maintenance(enable=enable, reason=reason))

    async def _maintained(self, check_id: str) -> None:
        check = self.local.checks.get(check_id)
        await self.sync.flush()
        if check is None:
            await self._kept.forget_check(check_id)
        else:
            await self._kept.save_check(KeptCheck(check.row, None))

    # ---------------------------------------------------------------- checks

    async def register_check(self, definition: CheckDefinition) -> None:
        """Raises: InvalidError, in Consul's words; UnavailableError when it cannot be kept."""
        definition = self.local.checked_check(definition, API)
        local = self.local.services.get(definition.service_id)
        service = local.service if local is not None else None
        row = check_row(self.local.node, definition, service)
        await self._kept.save_check(KeptCheck(row, definition))
        self.local.add_check(definition, API)
        await self.sync.flush()

    async def deregister_check(self, check_id: str) -> None:
        self.local.remove_check(check_id)
        await self.sync.flush()
        await self._forget_checks([check_id])

    async def refresh_check(self, check_id: str, status: str, output: str) -> None:
        """Raises: InvalidError when there is no TTL check of that id."""
        check = self.local.checks.get(check_id)
        before = check.row if check is not None else None
        ttl_ns = self.local.refresh(check_id, status, output)
        check = self.local.checks[check_id]
        row = check.row
        state = KeptState(check_id, status, row.output, self._clock.now_ns() + ttl_ns)
        if before is row:
            # Only the time is new: that may be written a little later.
            self._unsaved[check_id] = state
            return
        self._unsaved.pop(check_id, None)
        await self._kept.save_state(state)
        await self.sync.flush()

    async def _forget_checks(self, check_ids: set[str] | list[str]) -> None:
        for check_id in check_ids:
            self._unsaved.pop(check_id, None)
            await self._kept.forget_check(check_id)

    # ---------------------------------------------------------------- loops

    async def _run(self) -> None:
        """Expire TTL checks, let go of outputs that were held back, write what is unsaved."""
        while True:
            for _ in range(_SLOW_TICKS):
                for check_id in self.local.expire():
                    log.warning("check missed its TTL, is now critical: check=%s", check_id)
                await asyncio.sleep(_TICK_S)
            self.local.push_deferred()
            await self._save_states()

    async def _save_states(self) -> None:
        unsaved, self._unsaved = self._unsaved, {}
        for state in unsaved.values():
            await self._kept.save_state(state)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self._settings.check_reap_interval / SECOND_NS)
            await self.reap()

    async def reap(self) -> None:
        """Deregister the services that were critical for longer than they allow."""
        for service_id in self.local.critical_too_long():
            log.warning("deregistering a service that stayed critical: service=%s", service_id)
            await self.deregister_service(service_id)

    # ---------------------------------------------------------------- what was kept

    async def _restore(self) -> None:
        local = self.local
        for kept in self._kept.services():
            service_id = kept.service.id
            if service_id in local.services:
                # The configuration defines it now.
                await self._kept.forget_service(service_id)
                continue
            local.services[service_id] = LocalService(kept.service, kept.token, API)
            local.on_service(service_id)
        for check in self._kept.checks():
            try:
                self._restore_check(check)
            except InvalidError as error:
                log.warning("a kept check is dropped: %s", error)
                await self._kept.forget_check(check.check.check_id)
        now = self._clock.now_ns()
        for state in self._kept.states():
            if state.check_id in local.ttls and state.expires_ns > now:
                local.ttls.resume(state.check_id, state.expires_ns - now, state.output)
                local.report(state.check_id, state.status, state.output)

    def _restore_check(self, kept: KeptCheck) -> None:
        """Raises: InvalidError when it cannot be taken up again."""
        local, row, definition = self.local, kept.check, kept.definition
        if row.check_id in local.checks:
            raise InvalidError(f'check "{row.check_id}" is defined by the configuration now')
        if row.service_id and row.service_id not in local.services:
            raise InvalidError(f'service "{row.service_id}" of check "{row.check_id}" is gone')
        row = structs.replace(row, node=local.node)
        if definition is None:
            local.restore_check(row, None, API)
            return
        check_scripts(definition, local.settings, API)
        local.restore_check(_unknown(row), definition, API)
        local.run(row.check_id, definition)


def _unknown(row: CheckRow) -> CheckRow:
    """Nobody knows yet how it is: better not to send clients there."""
    return structs.replace(row, status="critical", output="")


def _warn_of_name(name: str) -> None:
    text = dns_warning(name)
    if text:
        log.warning("%s", text)

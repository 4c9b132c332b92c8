"""This agent's own services and checks: the truth about them.

The catalog is made to say the same (`agent/antientropy.py`); what is registered
or found here is noted as changed and pushed from there. Nothing here waits: a
call is done when it returns, and either all of it or none.
Source: `agent/agent.go` and `agent/local/state.go` of Consul 1.8.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec import structs

from fairlead.agent.checks.alias import AliasChecks
from fairlead.agent.checks.definition import (
    MINIMUM_INTERVAL_NS,
    CheckDefinition,
    validate,
)
from fairlead.agent.checks.idle import CheckRunner, IdleRunner
from fairlead.agent.definitions import (
    API,
    STATUSES,
    ServiceDefinition,
    check_row,
    check_scripts,
    checks_of,
    cut,
    maintenance_row,
    service_of,
)
from fairlead.agent.ttl import TTLTimers
from fairlead.clock import Clock
from fairlead.core.health import (
    CRITICAL,
    SERVICE_MAINTENANCE,
    aggregated,
)
from fairlead.core.rows import CheckRow, Service
from fairlead.errors import InvalidError, NotFoundError
from fairlead.settings.settings import Settings

__all__ = ["LocalAgent", "LocalCheck", "LocalService"]


class LocalService:
    """A service of this agent."""

    __slots__ = ("service", "source", "token")

    def __init__(self, service: Service, token: str, source: str) -> None:
        self.service = service
        self.token = token
        self.source = source


class LocalCheck:
    """A check of this agent; one in maintenance has no definition, for nothing is run."""

    __slots__ = ("critical_since_ns", "deferred_until_ns", "definition", "row", "source")

    def __init__(self, row: CheckRow, definition: CheckDefinition | None, source: str) -> None:
        self.row = row
        self.definition = definition
        self.source = source
        self.critical_since_ns: int | None = None
        self.deferred_until_ns: int | None = None


class LocalAgent:
    """What this agent runs, and how it is.

    `on_service` and `on_check` are called with the id of whatever the catalog
    should say otherwise now.
    """

    def __init__(self, node: str, settings: Settings, clock: Clock) -> None:
        self.node = node
        self.settings = settings
        self.services: dict[str, LocalService] = {}
        self.checks: dict[str, LocalCheck] = {}
        self.ttls = TTLTimers(clock)
        self.aliases = AliasChecks(self)
        self.runner: CheckRunner = IdleRunner()
        self.on_service: Callable[[str], None] = _nothing
        self.on_check: Callable[[str], None] = _nothing
        self._clock = clock
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    # ---------------------------------------------------------------- services

    def checked(
        self, definition: ServiceDefinition, source: str
    ) -> tuple[Service, list[CheckDefinition]]:
        """What a registration amounts to.

        Raises:
            InvalidError: it cannot be taken; in Consul's words.
        """
        service = service_of(definition)
        checks = checks_of(definition)
        for check in checks:
            check_scripts(check, self.settings, source)
        return service, checks

    def add_service(
        self, definition: ServiceDefinition, source: str, *, replace_checks: bool = False
    ) -> None:
        """Register a service and its checks.

        Checks it has already stay, unless `replace_checks`; one that is registered
        again keeps its status.

        Raises:
            InvalidError: see `checked`.
        """
        service, checks = self.checked(definition, source)
        old = self.services.get(service.id)
        self.services[service.id] = LocalService(service, definition.token, source)
        if old is None or old.service != service:
            self._service_changed(service.id)
        wanted = {check.check_id for check in checks}
        for check in checks:
            self._put_check(check, source)
        if replace_checks:
            for check_id in [*self.checks_of(service.id)]:
                if check_id not in wanted and not check_id.startswith(SERVICE_MAINTENANCE):
                    self.remove_check(check_id)

    def remove_service(self, service_id: str) -> list[str]:
        """Deregister a service and its checks, whose ids are returned; harmless if unknown."""
        if self.services.pop(service_id, None) is None:
            return []
        checks = [*self.checks_of(service_id)]
        for check_id in checks:
            self.remove_check(check_id)
        self._service_changed(service_id)
        self.aliases.target_changed(service_id)
        return checks

    def copy_tags(self, service_id: str, tags: list[str] | None) -> None:
        """Take over the tags the catalog has, for a service that lets others set them."""
        local = self.services[service_id]
        local.service = structs.replace(local.service, tags=tags)
        self._wake(service_id)

    def checks_of(self, service_id: str) -> Iterable[str]:
        """The ids of a service's checks; with an empty id those of the node."""
        return (
            check_id
            for check_id, check in self.checks.items()
            if check.row.service_id == service_id
        )

    def health_of(self, service_id: str) -> tuple[str, list[CheckRow]]:
        """The worst status of a service's checks and its node's, and those checks."""
        rows = [
            check.row for check in self.checks.values() if check.row.service_id in ("", service_id)
        ]
        return aggregated(rows), rows

    def changed(self, service_id: str) -> asyncio.Future[None]:
        """Done when a service is registered otherwise, or no more; cancel it to wait no more."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(service_id, []).append(future)
        future.add_done_callback(lambda done: self._forget(service_id, done))
        return future

    # ---------------------------------------------------------------- checks

    def checked_check(self, definition: CheckDefinition, source: str) -> CheckDefinition:
        """A check of its own, with its id.

        Raises:
            InvalidError: it cannot be taken; in Consul's words.
        """
        if not definition.name:
            raise InvalidError("Missing check name")
        if definition.status and definition.status not in STATUSES:
            raise InvalidError("Bad check status")
        try:
            validate(definition)
        except InvalidError as error:
            raise InvalidError(f"Invalid check: {error}") from error
        check_scripts(definition, self.settings, source)
        if definition.service_id and definition.service_id not in self.services:
            raise InvalidError(f'ServiceID "{definition.service_id}" does not exist')
        return structs.replace(definition, check_id=definition.check_id or definition.name)

    def add_check(self, definition: CheckDefinition, source: str) -> str:
        """Register a check; its id. One that is there already keeps its status.

        Raises:
            InvalidError: see `checked_check`.
        """
        definition = self.checked_check(definition, source)
        self._put_check(definition, source)
        return definition.check_id

    def remove_check(self, check_id: str) -> None:
        """Deregister a check; harmless if unknown."""
        check = self.checks.pop(check_id, None)
        if check is None:
            return
        self._halt(check_id)
        self.on_check(check_id)
        self.aliases.target_changed(check.row.service_id)

    def refresh(self, check_id: str, status: str, output: str) -> int:
        """Set the status of a TTL check and give it its full time again: nanoseconds.

        Raises:
            InvalidError: no check of that kind has the id.
        """
        if check_id not in self.ttls:
            raise InvalidError(f'CheckID "{check_id}" does not have associated TTL')
        output = self._truncated(check_id, output)
        ttl_ns = self.ttls.refresh(check_id, output)
        self.report(check_id, status, output)
        return ttl_ns

    def report(self, check_id: str, status: str, output: str) -> None:
        """A check was run. A change of its output alone is told to the catalog later.

        Not its first output, though: what fails from the start should say why.
        """
        check = self.checks.get(check_id)
        if check is None:
            return
        if self.settings.discard_check_output:
            output = ""
        row = check.row
        if row.status == status and row.output == output:
            return
        check.row = structs.replace(row, status=status, output=output)
        interval_ns = self.settings.check_update_interval
        if row.status == status and row.output and interval_ns > 0:
            if check.deferred_until_ns is None:
                wait_ns = interval_ns // 2 + int(self._clock.jitter(interval_ns))
                check.deferred_until_ns = self._clock.monotonic_ns() + wait_ns
            return
        self._status_changed(check_id, check)

    def expire(self) -> list[str]:
        """Turn the TTL checks critical whose time is over; which."""
        expired = self.ttls.expired()
        for check_id, output in expired:
            self.report(check_id, CRITICAL, output)
        return [check_id for check_id, _ in expired]

    def push_deferred(self) -> None:
        """Note the outputs as changed that were held back long enough."""
        now = self._clock.monotonic_ns()
        for check_id, check in self.checks.items():
            if check.deferred_until_ns is not None and check.deferred_until_ns <= now:
                check.deferred_until_ns = None
                self.on_check(check_id)

    def critical_too_long(self) -> list[str]:
        """The services one of whose checks has been critical for longer than it allows."""
        now = self._clock.monotonic_ns()
        least_ns = self.settings.check_deregister_interval_min
        found: dict[str, None] = {}
        for check in self.checks.values():
            definition, since_ns = check.definition, check.critical_since_ns
            limit_ns = definition.deregister_critical_service_after_ns if definition else 0
            if limit_ns <= 0 or since_ns is None or not check.row.service_id:
                continue
            if now - since_ns > max(limit_ns, least_ns):
                found[check.row.service_id] = None
        return [*found]

    # ---------------------------------------------------------------- maintenance

    def set_service_maintenance(self, service_id: str, *, enable: bool, reason: str) -> str:
        """Put a service into maintenance or take it out; the id of the check that says so.

        Raises:
            NotFoundError: there is no such service.
        """
        local = self.services.get(service_id)
        if local is None:
            raise NotFoundError(f'No service registered with ID "{service_id}"')
        return self._set_maintenance(maintenance_row(self.node, local.service, reason), enable)

    def set_node_maintenance(self, *, enable: bool, reason: str) -> str:
        """The same for the whole node."""
        return self._set_maintenance(maintenance_row(self.node, None, reason), enable)

    def _set_maintenance(self, row: CheckRow, enable: bool) -> str:
        """The first reason stays."""
        if not enable:
            self.remove_check(row.check_id)
        elif row.check_id not in self.checks:
            self.restore_check(row, None, API)
        return row.check_id

    # ---------------------------------------------------------------- parts

    def restore_check(
        self, row: CheckRow, definition: CheckDefinition | None, source: str
    ) -> LocalCheck:
        """Put a check as it is, without asking what it says."""
        check = self.checks[row.check_id] = LocalCheck(row, definition, source)
        self._status_changed(row.check_id, check)
        return check

    def _put_check(self, definition: CheckDefinition, source: str) -> None:
        check_id = definition.check_id
        old = self.checks.get(check_id)
        local = self.services.get(definition.service_id)
        row = check_row(self.node, definition, local.service if local is not None else None)
        if old is not None:
            row = structs.replace(row, status=old.row.status, output=old.row.output)
        is_same = old is not None and old.definition == definition
        if old is not None and old.row == row:
            old.definition, old.source = definition, source
        else:
            check = self.restore_check(row, definition, source)
            if old is not None and row.status == CRITICAL:
                check.critical_since_ns = old.critical_since_ns
        if not is_same or check_id in self.ttls:
            self.run(check_id, definition)

    def run(self, check_id: str, definition: CheckDefinition) -> None:
        """Begin to look after a check, by the kind it is."""
        kind = self.checks[check_id].row.type
        self._halt(check_id)
        if kind == "ttl":
            self.ttls.start(check_id, definition.ttl_ns)
        elif kind == "alias":
            self.aliases.start(check_id, definition)
        else:
            self.runner.start(check_id, self._runnable(definition))

    def _halt(self, check_id: str) -> None:
        self.ttls.stop(check_id)
        self.aliases.stop(check_id)
        self.runner.stop(check_id)

    def _runnable(self, definition: CheckDefinition) -> CheckDefinition:
        """What the runner is given: how often, and how much output at most, in any case."""
        return structs.replace(
            definition,
            interval_ns=max(definition.interval_ns, MINIMUM_INTERVAL_NS),
            output_max_size=self._output_limit(definition),
        )

    def _output_limit(self, definition: CheckDefinition | None) -> int:
        limit, own = self.settings.check_output_max_size, 0
        if definition is not None:
            own = definition.output_max_size
        return own if 0 < own < limit else limit

    def _truncated(self, check_id: str, output: str) -> str:
        limit = self._output_limit(self.checks[check_id].definition)
        return cut(output, limit)

    def _service_changed(self, service_id: str) -> None:
        self.on_service(service_id)
        self._wake(service_id)

    def _status_changed(self, check_id: str, check: LocalCheck) -> None:
        check.deferred_until_ns = None
        if check.row.status != CRITICAL:
            check.critical_since_ns = None
        elif check.critical_since_ns is None:
            check.critical_since_ns = self._clock.monotonic_ns()
        self.on_check(check_id)
        self.aliases.target_changed(check.row.service_id)

    def _wake(self, service_id: str) -> None:
        for future in self._waiting.pop(service_id, []):
            if not future.done():
                future.set_result(None)

    def _forget(self, service_id: str, future: asyncio.Future[None]) -> None:
        waiting = self._waiting.get(service_id, [])
        if future in waiting:
            waiting.remove(future)
            if not waiting:
                del self._waiting[service_id]


def _nothing(id_: str) -> None:
    """Nobody wants to know."""

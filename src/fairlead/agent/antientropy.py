"""Anti-entropy: the catalog is made to say what this agent says of itself.

What changes here is pushed at once, and all that changes while a push is under
way goes with the next one, so that a burst is few writes. A full sync, at the
start, at intervals and after the registry could not be reached, repairs what
differs and removes what this agent does not know. What is missing from the
catalog, or altered there, is noticed and repaired within about a second; what
was added there by others goes with the next full sync, as in Consul.

An agent where nothing changes writes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from msgspec import structs

from fairlead.agent.local import LocalAgent, LocalCheck
from fairlead.agent.registry import NodeContents, Registry
from fairlead.clock import Clock
from fairlead.core.commands import CatalogDeregister, CatalogRegister, Command
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["AntiEntropy", "sync_interval_s"]

log = logging.getLogger("agent")

_INTERVAL_S = 60.0
_SCALE_FROM = 128
_RETRY_S = 3.0
_REPAIR_S = 1.0
# A repair may take this share of the time, however much there is to compare.
_REPAIR_SHARE = 20
_COMMANDS_AT_ONCE = 512
_CHECKS_AT_ONCE = 256

_SERVERS_OWN = "consul"
_SERF_HEALTH = "serfHealth"


def sync_interval_s(nodes: int) -> float:
    """How long from one full sync to the next: longer the more nodes there are.

    >>> sync_interval_s(3), sync_interval_s(129), sync_interval_s(1000)
    (60.0, 120.0, 240.0)
    """
    if nodes <= _SCALE_FROM:
        return _INTERVAL_S
    return _INTERVAL_S * (1 + math.ceil(math.log2(nodes) - math.log2(_SCALE_FROM)))


class AntiEntropy:
    """Keeps the catalog in step with `local`; `nodes` is how many there are in the cluster."""

    def __init__(
        self,
        local: LocalAgent,
        registry: Registry,
        node: NodeRow,
        clock: Clock,
        nodes: Callable[[], int],
    ) -> None:
        self._local = local
        self._registry = registry
        self._node = node
        self._clock = clock
        self._nodes = nodes
        # In the order they changed; dictionaries, for sets have none.
        self._services: dict[str, None] = {}
        self._checks: dict[str, None] = {}
        self._is_node_due = False
        # At first nothing has been reached yet, and nobody need be told.
        self._is_cut_off = True
        self._wanted = asyncio.Event()
        self._resync = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiters: list[asyncio.Future[None]] = []
        local.on_service = self._service_changed
        local.on_check = self._check_changed

    # ---------------------------------------------------------------- called by others

    async def flush(self) -> None:
        """Return once what changed until now is in the catalog, or cannot be brought there."""
        if not self._wanted.is_set():
            # What changed may be on its way.
            async with self._turn:
                return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        await future

    def close(self) -> None:
        """Let go of whoever waits."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def run_pushes(self) -> None:
        while True:
            await self._wanted.wait()
            async with self._turn:
                if not await self._push():
                    self._resync.set()

    async def run_syncs(self) -> None:
        """Sync fully, now and at intervals; soon again while the registry cannot be reached."""
        while True:
            if await self.sync():
                self._resync.clear()
                interval_s = sync_interval_s(self._nodes())
                wait_s = interval_s + self._clock.jitter(interval_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._resync.wait(), wait_s)
                    await asyncio.sleep(_RETRY_S + self._clock.jitter(_RETRY_S))
            else:
                await asyncio.sleep(_RETRY_S + self._clock.jitter(_RETRY_S))

    async def run_repairs(self) -> None:
        """Compare again after others may have changed what the catalog holds of this node."""
        loop = asyncio.get_running_loop()
        seen = asyncio.Event()
        changed: asyncio.Future[None] | None = None

        def watch(done: asyncio.Future[None] | None = None) -> None:
            nonlocal changed
            if done is not None and done.cancelled():
                return
            seen.set()
            changed = self._registry.changed(self._node.node)
            changed.add_done_callback(watch)

        watch()
        try:
            while True:
                await seen.wait()
                seen.clear()
                started = loop.time()
                await self.repair()
                await asyncio.sleep(max(_REPAIR_S, (loop.time() - started) * _REPAIR_SHARE))
        finally:
            if changed is not None:
                changed.cancel()

    async def sync(self) -> bool:
        """A full sync; False when the registry cannot be reached."""
        return await self._compare(and_strangers=True)

    async def repair(self) -> bool:
        """Bring back what the catalog lacks or has otherwise; leave the rest for a sync."""
        return await self._compare(and_strangers=False)

    # ---------------------------------------------------------------- what differs

    async def _compare(self, *, and_strangers: bool) -> bool:
        async with self._turn:
            try:
                contents = await self._registry.contents(self._node.node)
            except FairleadError as error:
                self._cannot("compare", error)
                return False
            self._is_cut_off = False
            self._note_node(contents)
            self._note_services(contents, and_strangers)
            self._note_checks(contents, and_strangers)
            return await self._push()

    def _cannot(self, verb: str, error: FairleadError) -> None:
        """Warn once while the registry cannot be reached, not at every try."""
        level = logging.DEBUG if self._is_cut_off else logging.WARNING
        log.log(level, "cannot %s with the catalog: error=%s", verb, error)
        self._is_cut_off = True

    def _note_node(self, contents: NodeContents) -> None:
        node = contents.node
        if node is None or _bare_node(node) != self._node:
            self._is_node_due = True

    def _note_services(self, contents: NodeContents, and_strangers: bool) -> None:
        known = {service.id.lower(): service for service in contents.services}
        own = {}
        for service_id, local in self._local.services.items():
            # Ids that differ in case only are one row of the catalog: the last one's.
            own[service_id.lower()] = (service_id, local.service)
        for key, (service_id, service) in own.items():
            row = known.get(key)
            if row is not None and service.enable_tag_override and row.tags != service.tags:
                self._local.copy_tags(service_id, row.tags)
                service = self._local.services[service_id].service
            if row is None or _bare_service(row) != service:
                self._services[service_id] = None
        if and_strangers:
            strangers = known.keys() - own.keys() - {_SERVERS_OWN}
            self._services.update({known[key].id: None for key in sorted(strangers)})

    def _note_checks(self, contents: NodeContents, and_strangers: bool) -> None:
        known = {check.check_id.lower(): check for check in contents.checks}
        own = {}
        for check_id, local in self._local.checks.items():
            own[check_id.lower()] = (check_id, local)
        for key, (check_id, local) in own.items():
            row = known.get(key)
            if row is None or not _is_same(row, local):
                self._checks[check_id] = None
        if and_strangers:
            strangers = known.keys() - own.keys() - {_SERF_HEALTH.lower()}
            own_only = (key for key in sorted(strangers) if known[key].service_id != _SERVERS_OWN)
            self._checks.update({known[key].check_id: None for key in own_only})

    # ---------------------------------------------------------------- pushing

    def _service_changed(self, service_id: str) -> None:
        self._services[service_id] = None
        self._wanted.set()

    def _check_changed(self, check_id: str) -> None:
        self._checks[check_id] = None
        self._wanted.set()

    async def _push(self) -> bool:
        """Push what is noted; False when some of it could not be, which stays noted."""
        services, self._services = self._services, {}
        checks, self._checks = self._checks, {}
        is_node_due, self._is_node_due = self._is_node_due, False
        waiters, self._waiters = self._waiters, []
        self._wanted.clear()
        try:
            commands = self._commands(services, checks, is_node_due)
            reached = True
            while reached and (batch := list(islice(commands, _COMMANDS_AT_ONCE))):
                reached = await self._submit(batch)
            if not reached:
                self._services = {**services, **self._services}
                self._checks = {**checks, **self._checks}
                self._is_node_due = self._is_node_due or is_node_due
            return reached
        finally:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _commands(
        self, services: dict[str, None], checks: dict[str, None], is_node_due: bool
    ) -> Iterator[Command]:
        node, now_ns = self._node.node, self._clock.now_ns()
        if is_node_due:
            yield CatalogRegister(self._node, now_ns=now_ns)
        local = self._local
        for service_id in _gone(services, local.services):
            yield CatalogDeregister(node, service_id=service_id, now_ns=now_ns)
        for check_id in _gone(checks, local.checks):
            yield CatalogDeregister(node, check_id=check_id, now_ns=now_ns)
        rows: dict[str, list[CheckRow]] = {}
        for check_id in checks:
            check = local.checks.get(check_id)
            if check is not None:
                rows.setdefault(check.row.service_id, []).append(check.row)
        for service_id in services:
            if service_id in local.services:
                service = local.services[service_id].service
                yield self._register(rows.pop(service_id, []), service, now_ns)
        rest = iter([row for group in rows.values() for row in group])
        while some := list(islice(rest, _CHECKS_AT_ONCE)):
            yield self._register(some, None, now_ns)

    def _register(
        self, checks: list[CheckRow], service: Service | None, now_ns: int
    ) -> CatalogRegister:
        return CatalogRegister(self._node, checks, service, True, now_ns)

    async def _submit(self, commands: list[Command]) -> bool:
        """Submit commands together; False when the registry could not be reached for one."""
        answers = await asyncio.gather(
            *(self._registry.submit(command) for command in commands), return_exceptions=True
        )
        reached = True
        for answer in answers:
            if isinstance(answer, UnavailableError):
                reached = False
                self._cannot("sync", answer)
                break
            if isinstance(answer, FairleadError):
                # What it rests on was taken away meanwhile: the next comparison sees that.
                log.warning("the catalog refused a change: error=%s", answer)
                self._resync.set()
            elif isinstance(answer, BaseException):
                raise answer
        return reached


def _gone(noted: Iterable[str], known: Mapping[str, object]) -> list[str]:
    """The ids that are registered no more, not even with other cases: that one has the row."""
    gone = [id_ for id_ in noted if id_ not in known]
    if not gone:
        return []
    there = {id_.lower() for id_ in known}
    return [id_ for id_ in gone if id_.lower() not in there]


def _bare_node(row: NodeRow) -> NodeRow:
    return structs.replace(row, create_index=0, modify_index=0)


def _bare_service(row: Service) -> Service:
    return structs.replace(row, create_index=0, modify_index=0)


def _is_same(row: CheckRow, local: LocalCheck) -> bool:
    """Whether the catalog says of a check what this agent says.

    Names and tags of services are the catalog's own; an output that is held back
    is not compared.
    """
    own = local.row
    return (
        row.status == own.status
        and (row.output == own.output or local.deferred_until_ns is not None)
        and row.name == own.name
        and row.notes == own.notes
        and row.service_id.lower() == own.service_id.lower()
        and row.type == own.type
    )

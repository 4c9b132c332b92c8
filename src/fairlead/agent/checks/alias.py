"""Alias checks: as well as another service, or another node, is.

One without a node follows a service of this agent; it is looked at again when a
status of that service changes. One with a node follows the catalog.
Source: `agent/checks/alias.go` of Consul 1.8, but for a check that would follow itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.registry import NodeContents, Registry
from fairlead.core.rows import CheckRow
from fairlead.errors import FairleadError

if TYPE_CHECKING:
    from fairlead.agent.local import LocalAgent

__all__ = ["AliasChecks", "followed"]

log = logging.getLogger("agent")

_REFRESH_S = 60.0
_RETRY_S = 5.0


def followed(
    checks: Iterable[CheckRow], service_id: str, node: str, *, exists: bool
) -> tuple[str, str]:
    """The status and the output of a check that follows these, which are all of one node."""
    found, warning, any_check = exists, "", False
    for check in checks:
        if check.service_id not in ("", service_id):
            continue
        any_check = True
        found = found or check.service_id == service_id
        if check.status in ("critical", "warning"):
            output = f'Aliased check "{check.name}" failing: {check.output}'
            if check.status == "critical":
                return "critical", output
            warning = output
    if not found:
        return "critical", f"Service {service_id} could not be found on node {node}"
    if warning:
        return "warning", warning
    return "passing", "All checks passing." if any_check else "No checks found."


class AliasChecks:
    """The alias checks of one agent; `registry` is set before one with a node is started."""

    def __init__(self, local: LocalAgent) -> None:
        self.registry: Registry | None = None
        self._local = local
        self._definitions: dict[str, CheckDefinition] = {}
        # The checks that follow a service of this agent, by its id.
        self._followers: dict[str, set[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._due: set[str] = set()

    def start(self, check_id: str, definition: CheckDefinition) -> None:
        self._definitions[check_id] = definition
        if definition.alias_node:
            self._tasks[check_id] = asyncio.create_task(
                self._follow_node(check_id, definition), name=f"alias {check_id}"
            )
        else:
            self._followers.setdefault(definition.alias_service, set()).add(check_id)
            self._look(check_id)

    def stop(self, check_id: str) -> None:
        definition = self._definitions.pop(check_id, None)
        if definition is None:
            return
        task = self._tasks.pop(check_id, None)
        if task is not None:
            task.cancel()
        followers = self._followers.get(definition.alias_service)
        if followers is not None:
            followers.discard(check_id)
            if not followers:
                del self._followers[definition.alias_service]

    async def close(self) -> None:
        tasks = [*self._tasks.values()]
        for check_id in [*self._definitions]:
            self.stop(check_id)
        await asyncio.gather(*tasks, return_exceptions=True)

    def target_changed(self, service_id: str) -> None:
        """A status of a service, or (with an empty id) of the node, is another now.

        Who follows it looks in the next turn of the loop, so that checks which
        follow each other in a circle end.
        """
        if not self._followers:
            return
        if service_id:
            due = self._followers.get(service_id, set())
        else:
            due = {one for followers in self._followers.values() for one in followers}
        if due and not self._due:
            asyncio.get_running_loop().call_soon(self._look_due)
        self._due |= due

    def _look_due(self) -> None:
        due, self._due = self._due, set()
        for check_id in sorted(due):
            self._look(check_id)

    def _look(self, check_id: str) -> None:
        definition = self._definitions.get(check_id)
        if definition is None:
            return
        local, service_id = self._local, definition.alias_service
        rows = [check.row for check in local.checks.values() if check.row.check_id != check_id]
        status, output = followed(rows, service_id, "", exists=service_id in local.services)
        local.report(check_id, status, output)

    async def _follow_node(self, check_id: str, definition: CheckDefinition) -> None:
        """Read what the catalog holds of the node, whenever that may have changed."""
        node, registry = definition.alias_node, self.registry
        assert registry is not None, "the registry is there before the checks are"
        while True:
            changed = registry.changed(node)
            wait_s = _REFRESH_S
            try:
                try:
                    self._report(check_id, definition, await registry.contents(node))
                except FairleadError as error:
                    log.warning("an alias check cannot read: check=%s error=%s", check_id, error)
                    wait_s = _RETRY_S
                await asyncio.wait([changed], timeout=wait_s)
            finally:
                changed.cancel()

    def _report(self, check_id: str, definition: CheckDefinition, contents: NodeContents) -> None:
        service_id = definition.alias_service
        own = self._local.node if contents.node is not None else ""
        rows = [row for row in contents.checks if row.check_id != check_id or row.node != own]
        exists = any(service.id == service_id for service in contents.services)
        if not service_id:
            exists = contents.node is not None
        status, output = followed(rows, service_id, definition.alias_node, exists=exists)
        self._local.report(check_id, status, output)

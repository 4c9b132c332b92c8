"""A local agent for tests: what it told the catalog, and time that stands still."""

from __future__ import annotations

from typing import Any

from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.idle import IdleRunner
from fairlead.agent.definitions import API, ServiceDefinition
from fairlead.agent.local import LocalAgent
from fairlead.clock import FakeClock
from fairlead.durations import SECOND_NS
from fairlead.settings.settings import Settings, build

__all__ = ["TTL", "Told", "settings_with", "told_by", "web"]

TTL = CheckDefinition(ttl_ns=10 * SECOND_NS)


def settings_with(**raw: Any) -> Settings:
    return build({"engine": "memory:", "bind_addr": "10.0.0.1", "node_name": "n1", **raw})


class Told:
    """A local agent, and the ids of what it said has changed."""

    def __init__(self, local: LocalAgent, clock: FakeClock) -> None:
        self.local = local
        self.clock = clock
        self.runner = IdleRunner()
        self.services: list[str] = []
        self.checks: list[str] = []
        local.runner = self.runner
        local.on_service = self.services.append
        local.on_check = self.checks.append

    def clear(self) -> None:
        self.services.clear()
        self.checks.clear()

    def status(self, check_id: str) -> tuple[str, str]:
        row = self.local.checks[check_id].row
        return row.status, row.output


def told_by(**raw: Any) -> Told:
    clock = FakeClock(1)
    return Told(LocalAgent("n1", settings_with(**raw), clock), clock)


def web(local: LocalAgent, *checks: CheckDefinition, **fields: Any) -> None:
    local.add_service(ServiceDefinition(name="web", checks=[*checks], **fields), API)

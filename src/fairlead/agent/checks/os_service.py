"""OS services: what systemd says of a unit.

Active is passing; on its way to it or from it, a warning; all else critical.
Consul has this kind on Windows alone.
"""

from __future__ import annotations

from fairlead.agent.checks.capture import Capture
from fairlead.agent.checks.contract import Means, Outcome, Probe, failing, passing, timeout_s
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.agent.checks.script import run_command
from fairlead.core.health import CRITICAL, WARNING
from fairlead.durations import SECOND_NS, format_duration

__all__ = ["make"]

_TIMEOUT_S = 30.0
_ON_ITS_WAY = {"activating", "reloading", "deactivating", "refreshing", "maintenance"}
_STATES = _ON_ITS_WAY | {"active", "inactive", "failed", "unknown"}


class _OSService:
    def __init__(self, check: CheckDefinition, means: Means) -> None:
        self._unit = check.os_service
        self._timeout_s = timeout_s(check.timeout_ns, _TIMEOUT_S)
        self._limit = means.output_limit

    async def run(self) -> Outcome:
        capture = Capture(self._limit)
        command = ["systemctl", "is-active", "--", self._unit]
        ended = await run_command(command, capture, self._timeout_s)
        if ended.fault:
            return failing(ended.fault)
        if ended.code is None:
            limit = format_duration(round(self._timeout_s * SECOND_NS))
            return failing(f"Timed out ({limit}) running check")
        said = capture.text().strip()
        if ended.code == 0:
            return passing(f'Service "{self._unit}" is healthy')
        if said not in _STATES:  # systemd itself cannot be asked
            return failing(said)
        status = WARNING if said in _ON_ITS_WAY else CRITICAL
        return Outcome(status, f'Service "{self._unit}" is {said}')


def make(check: CheckDefinition, means: Means) -> Probe:
    return _OSService(check, means)

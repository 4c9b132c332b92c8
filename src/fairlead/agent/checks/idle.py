"""What is needed of whatever runs the checks, and one that runs none."""

from __future__ import annotations

from typing import Protocol

from fairlead.agent.checks.definition import CheckDefinition

__all__ = ["CheckRunner", "IdleRunner"]


class CheckRunner(Protocol):
    """Runs the checks that are polled, and reports what each run found."""

    def start(self, check_id: str, definition: CheckDefinition) -> None:
        """Run a check from now on, in place of the one that has the id."""

    def stop(self, check_id: str) -> None:
        """Run it no more; harmless for one that does not run."""

    async def close(self) -> None:
        """Run nothing any more."""


class IdleRunner:
    """Keeps what it should run, and runs nothing."""

    def __init__(self) -> None:
        self.running: dict[str, CheckDefinition] = {}

    def start(self, check_id: str, definition: CheckDefinition) -> None:
        self.running[check_id] = definition

    def stop(self, check_id: str) -> None:
        self.running.pop(check_id, None)

    async def close(self) -> None:
        self.running.clear()

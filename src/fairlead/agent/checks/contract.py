"""What every kind of check keeps to: it is made from a definition, and run again and again.

A probe ends by itself, within its timeout and a moment; it is never run twice at
the same time. What goes wrong with what it looks at is an outcome, not an error.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from fairlead.agent.checks.resolver import Resolver
from fairlead.agent.checks.tls import Contexts
from fairlead.clock import Clock
from fairlead.core.health import CRITICAL, PASSING
from fairlead.durations import SECOND_NS

__all__ = ["DEFAULT_TIMEOUT_S", "Means", "Outcome", "Probe", "failing", "passing", "timeout_s"]

DEFAULT_TIMEOUT_S = 10.0
"""As in Consul, for whatever answers over the network."""


class Outcome(NamedTuple):
    """What one run found."""

    status: str
    output: str


class Means(NamedTuple):
    """What probes share, and the most they may keep of an output."""

    resolver: Resolver
    contexts: Contexts
    clock: Clock
    output_limit: int


class Probe(Protocol):
    """One check that can be run."""

    async def run(self) -> Outcome:
        """Look once."""


def passing(output: str) -> Outcome:
    return Outcome(PASSING, output)


def failing(output: str) -> Outcome:
    return Outcome(CRITICAL, output)


def timeout_s(timeout_ns: int, default_s: float = DEFAULT_TIMEOUT_S) -> float:
    """A timeout as it was given, else the default."""
    return timeout_ns / SECOND_NS if timeout_ns > 0 else default_s

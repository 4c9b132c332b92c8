"""How many results in a row it takes to change what a check is said to be.

`success_before_passing` good ones, `failures_before_warning` bad ones for a
warning, `failures_before_critical` for critical; a warning counts as good.
Consul 1.8.7 accepts these and ignores them; the meaning is its documentation's.
"""

from __future__ import annotations

from fairlead.agent.checks.contract import Outcome
from fairlead.agent.checks.definition import CheckDefinition
from fairlead.core.health import CRITICAL, WARNING

__all__ = ["Counts"]


class Counts:
    """The results in a row of one check.

    >>> counts = Counts(CheckDefinition(failures_before_warning=1, failures_before_critical=2))
    >>> [counts.count(Outcome("critical", "no")) for _ in range(2)]
    [Outcome(status='warning', output='no'), Outcome(status='critical', output='no')]
    """

    __slots__ = (
        "_before_critical",
        "_before_passing",
        "_before_warning",
        "_failures",
        "_successes",
    )

    def __init__(self, definition: CheckDefinition) -> None:
        self._before_passing = definition.success_before_passing
        self._before_critical = definition.failures_before_critical
        self._before_warning = definition.failures_before_warning or self._before_critical
        self._successes = 0
        self._failures = 0

    def count(self, outcome: Outcome) -> Outcome | None:
        """What is to be told after this result; None for nothing."""
        if outcome.status != CRITICAL:
            self._successes += 1
            self._failures = 0
            return outcome if self._successes >= self._before_passing else None
        self._failures += 1
        self._successes = 0
        if self._failures >= self._before_critical:
            return outcome
        if self._failures >= self._before_warning:
            return Outcome(WARNING, outcome.output)
        return None

"""What the agent counts and times, under the names Consul gives the same things.

A sample costs one method call; `rotate`, called every ten seconds, closes an
interval. The JSON of `/v1/agent/metrics` is the last closed interval, as
go-metrics shows it; the Prometheus text is the running totals.
"""

from __future__ import annotations

import math
import operator
import re
import time
from typing import Any

__all__ = ["INTERVAL_S", "Counter", "Metrics", "Sampler"]

INTERVAL_S = 10
_RECENT = 512
_FOLD_AT = 4096
_QUANTILES = (0.5, 0.9, 0.99)
_NOT_NAME = re.compile(r"[^a-zA-Z0-9_:]")


class Aggregate:
    """The sums of one interval."""

    __slots__ = ("count", "maximum", "minimum", "squares", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.squares = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf

    def add_all(self, values: list[float]) -> None:
        self.count += len(values)
        self.sum += sum(values)
        self.squares += sum(map(operator.mul, values, values))
        self.minimum = min(self.minimum, *values)
        self.maximum = max(self.maximum, *values)

    def as_json(self, name: str) -> dict[str, Any]:
        mean = self.sum / self.count
        variance = max(self.squares / self.count - mean * mean, 0.0)
        return {
            "Name": name,
            "Count": self.count,
            "Rate": self.sum / INTERVAL_S,
            "Sum": self.sum,
            "Min": self.minimum,
            "Max": self.maximum,
            "Mean": mean,
            "Stddev": math.sqrt(variance),
            "Labels": {},
        }


class Series:
    """Values as they come: kept in a list, summed up a few thousand at a time.

    Adding one must cost next to nothing: it happens at every request.
    """

    __slots__ = ("_values", "closed", "count", "open", "recent", "sum")

    def __init__(self) -> None:
        self._values: list[float] = []
        self.open = Aggregate()
        self.closed = Aggregate()
        self.recent: list[float] = []
        self.count = 0
        self.sum = 0.0

    def add(self, value: float = 1.0) -> None:
        values = self._values
        values.append(value)
        if len(values) == _FOLD_AT:
            self.fold()

    def fold(self) -> None:
        """Sum up what came since the last time."""
        if self._values:
            values, self._values = self._values, []
            self.open.add_all(values)
            self.count += len(values)
            self.sum += sum(values)
            self.recent = (self.recent + values)[-_RECENT:]

    def rotate(self) -> None:
        self.fold()
        self.closed, self.open = self.open, Aggregate()


class Counter(Series):
    """Counts something, or sums it up."""


class Sampler(Series):
    """Times something, in milliseconds."""


class Metrics:
    """All of an agent's metrics; names are given without the prefix (`kvs.apply`)."""

    def __init__(self, prefix: str = "consul", hostname: str = "") -> None:
        self._prefix = prefix
        self._gauge_prefix = f"{prefix}.{hostname}" if hostname else prefix
        self._gauges: dict[str, float] = {}
        self._counters: dict[str, Counter] = {}
        self._samplers: dict[str, Sampler] = {}
        self._closed_at = time.time()

    def gauge(self, name: str, value: float) -> None:
        """Set what a gauge shows."""
        self._gauges[name] = value

    def counter(self, name: str) -> Counter:
        """The counter of that name; keep it, to save the look-up."""
        return self._counters.setdefault(name, Counter())

    def sampler(self, name: str) -> Sampler:
        """The sampler of that name; keep it, to save the look-up."""
        return self._samplers.setdefault(name, Sampler())

    def rotate(self) -> None:
        """Close the interval: what `as_json` shows from now on."""
        for metric in (*self._counters.values(), *self._samplers.values()):
            metric.rotate()
        self._closed_at = time.time()

    def as_json(self) -> dict[str, Any]:
        """The last closed interval, in the shape of `/v1/agent/metrics`."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(self._closed_at))
        gauges = [
            {"Name": f"{self._gauge_prefix}.{name}", "Value": value, "Labels": {}}
            for name, value in sorted(self._gauges.items())
        ]
        return {
            "Timestamp": stamp,
            "Gauges": gauges,
            "Points": [],
            "Counters": self._closed(self._counters),
            "Samples": self._closed(self._samplers),
        }

    def _closed(self, metrics: dict[str, Any]) -> list[dict[str, Any]]:
        return [
            metric.closed.as_json(f"{self._prefix}.{name}")
            for name, metric in sorted(metrics.items())
            if metric.closed.count
        ]

    def as_prometheus(self) -> str:
        """The running totals in Prometheus' text format 0.0.4."""
        lines: list[str] = []
        for name, value in sorted(self._gauges.items()):
            full = self._exposed(self._gauge_prefix, name)
            lines += [f"# HELP {full} {full}", f"# TYPE {full} gauge", f"{full} {value:.16g}"]
        for name, counter in sorted(self._counters.items()):
            counter.fold()
            full = self._exposed(self._prefix, name)
            total = f"{full} {counter.sum:.16g}"
            lines += [f"# HELP {full} {full}", f"# TYPE {full} counter", total]
        for name, sampler in sorted(self._samplers.items()):
            lines += self._summary(self._exposed(self._prefix, name), sampler)
        return "\n".join(lines) + "\n"

    @staticmethod
    def _exposed(prefix: str, name: str) -> str:
        return _NOT_NAME.sub("_", f"{prefix}.{name}")

    @staticmethod
    def _summary(full: str, sampler: Sampler) -> list[str]:
        sampler.fold()
        recent = sorted(sampler.recent)
        lines = [f"# HELP {full} {full}", f"# TYPE {full} summary"]
        for quantile in _QUANTILES:
            value = recent[int(quantile * (len(recent) - 1))] if recent else math.nan
            shown = f"{value:.16g}" if recent else "NaN"
            lines.append(f'{full}{{quantile="{quantile}"}} {shown}')
        lines.append(f"{full}_sum {sampler.sum:.16g}")
        lines.append(f"{full}_count {sampler.count}")
        return lines

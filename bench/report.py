"""The table: as text, as Markdown, and the whole run as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.figures import Figure, Target
from bench.suite import Results

__all__ = ["as_json", "header", "lined_up", "markdown", "table"]

_TITLES = ("operation", "Consul", "Fairlead", "ratio", "target", "")


def header(facts: dict[str, str]) -> str:
    """One fact a line."""
    return "\n".join(f"{name}: {value}" for name, value in facts.items())


def table(figures: Sequence[Figure]) -> str:
    """The table for a terminal."""
    return lined_up([_TITLES, *map(_cells, figures)])


def markdown(figures: Sequence[Figure]) -> str:
    """The table for docs/benchmarks.md."""
    return lined_up([_TITLES, *map(_cells, figures)], markdown=True)


def lined_up(rows: Sequence[Sequence[str]], *, markdown: bool = False) -> str:
    """Rows under their titles: the first and the last column to the left, figures to the right."""
    titles, *others = rows
    if markdown:
        rule = ("---", *["---:"] * (len(titles) - 2), "---")
        return "\n".join(
            f"| {' | '.join(row)} |".replace("  ", " ") for row in (titles, rule, *others)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(titles))]
    lines = []
    for row in rows:
        _, *middle = (cell.rjust(width) for cell, width in zip(row[:-1], widths, strict=False))
        lines.append("  ".join([row[0].ljust(widths[0]), *middle, row[-1]]).rstrip())
    return "\n".join(lines)


def as_json(facts: dict[str, str], results: Results) -> str:
    """Everything, each round included."""
    rows = [
        {
            "name": figure.name,
            "title": figure.title,
            "unit": figure.unit.strip(),
            "consul": figure.consul,
            "fairlead": figure.fairlead,
            "ratio": figure.ratio,
            "target": _target(figure.target),
            "is_met": figure.is_met,
            "rounds": figure.rounds,
        }
        for figure in results.figures
    ]
    return json.dumps({"machine": facts, "figures": rows, "failures": results.failures}, indent=2)


def _cells(figure: Figure) -> tuple[str, ...]:
    ratio = figure.ratio
    return (
        figure.title,
        _number(figure.consul, figure.unit),
        _number(figure.fairlead, figure.unit),
        f"{ratio:.2f}x" if ratio is not None else "-",
        _target(figure.target, figure.unit),
        {True: "✓", False: "✗", None: ""}[figure.is_met],
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    text = f"{value:,.0f}" if value >= 100 or not unit else f"{value:.1f}"
    return text.replace(",", " ") + unit


def _target(target: Target | None, unit: str = "") -> str:
    if target is None:
        return ""
    sign = "≥" if target.is_floor else "≤"
    bound = f"{target.bound:g}x" if target.is_ratio else _number(target.bound, unit)
    return f"{sign} {bound}".replace(".0 ", " ")

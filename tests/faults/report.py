"""A run as tables for people, and what is kept of one that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults import checks
from tests.faults.explain import told
from tests.faults.history import FAIL, OK, UNKNOWN
from tests.faults.run import Result

__all__ = ["keep", "table", "totals"]

_MODES = {"": "default", "consistent": "consistent", "stale": "stale"}


def table(result: Result) -> str:
    """Faults, operations and violations of one run."""
    plan = result.plan
    lines = [
        f"{plan.servers}, {plan.seconds:.0f} s, seed {plan.seed}, {result.place}",
        "",
        *_faults(result),
        "",
        *_operations(result),
        "",
        *_violations([result]),
    ]
    return "\n".join(lines)


def _faults(result: Result) -> list[str]:
    rows = ["| fault | times |", "|---|---:|"]
    for kind in result.plan.faults:
        reason = result.left_out.get(kind)
        rows.append(f"| {kind} | {f'left out: {reason}' if reason else result.struck[kind]} |")
    died = sum(result.deaths.values())
    return [*rows, f"| servers that ended by themselves | {died} |"]


def _operations(result: Result) -> list[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for op in result.history.ops:
        kind = f"{op.kind} {_MODES[op.mode]}" if op.kind in ("get", "look", "data") else op.kind
        outcome = op.outcome if op.outcome != OK or op.done else "refused"
        counts[kind, outcome] += 1
    columns = (OK, "refused", FAIL, UNKNOWN)
    rows = ["| operation | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for kind in sorted({kind for kind, _ in counts}):
        rows.append(f"| {kind} | " + " | ".join(f"{counts[kind, one]}" for one in columns) + " |")
    sums = (sum(n for (_, outcome), n in counts.items() if outcome == one) for one in columns)
    return [*rows, "| all | " + " | ".join(str(one) for one in sums) + " |"]


def _violations(results: Sequence[Result]) -> list[str]:
    counts = Counter(one.kind for result in results for one in result.violations)
    rows = ["| violations | |", "|---|---:|"]
    return [*rows, *(f"| {words} | {counts[kind]} |" for kind, words in checks.KINDS.items())]


def totals(results: Sequence[Result]) -> str:
    """One row a run."""
    rows = [
        "| run | seed | faults | operations | acknowledged | unknown | violations |",
        "|---:|---|---:|---:|---:|---:|---:|",
    ]
    for number, result in enumerate(results, 1):
        ops = result.history.ops
        cells = [
            number,
            result.plan.seed,
            sum(result.struck.values()),
            len(ops),
            sum(op.outcome == OK for op in ops),
            sum(op.outcome == UNKNOWN for op in ops),
            len(result.violations),
        ]
        rows.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(rows)


def keep(result: Result, folder: Path) -> Path:
    """Everything that is needed to look into it, in a folder of its own."""
    place = folder / f"{result.plan.servers}-{result.plan.seed}"
    place.mkdir(parents=True, exist_ok=True)
    result.history.write(place / "history.jsonl")
    (place / "faults.txt").write_text("\n".join(result.diary) + "\n")
    errors = [f"{count:7d} {text}" for text, count in result.errors.most_common()]
    (place / "errors.txt").write_text("\n".join(errors) + "\n")
    parts = [table(result)]
    for number, one in enumerate(result.violations, 1):
        parts.append(f"## {number} {one.kind} {one.key}\n\n{one.sentence}\n\n{told(one.ops)}")
    (place / "violations.txt").write_text("\n\n".join(parts) + "\n")
    for name, log in result.logs.items():
        (place / f"{name}.log").write_bytes(log)
    return place

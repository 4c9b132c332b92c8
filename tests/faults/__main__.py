"""`python -m tests.faults`: see docs/fault-tests.md."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tests.faults import faults, launch
from tests.faults.checks import check
from tests.faults.explain import told
from tests.faults.history import read_history
from tests.faults.lock_clients import TTL_S
from tests.faults.report import keep, table, totals
from tests.faults.run import Plan, Result, run

_SHOWN = 3
_MODES = {"default": "", "consistent": "consistent"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description="Servers under faults, and a check of all that clients were told.",
    )
    parser.add_argument("--seconds", type=float, default=180, help="how long faults strike")
    parser.add_argument("--seed", help="what all chance is drawn from; random by default")
    parser.add_argument("--runs", type=int, default=1, help="each with a seed of its own")
    parser.add_argument("--servers", choices=launch.KINDS, default="fairlead")
    parser.add_argument(
        "--faults", default=",".join(faults.KINDS), help="which of them; empty for none"
    )
    parser.add_argument("--reads", default=",".join(_MODES), help="which must be right")
    parser.add_argument("--plain", action="store_true", help="no namespaces, even where allowed")
    parser.add_argument("--keep", type=Path, default=Path("fault-runs"), help="where to")
    parser.add_argument("--keep-all", action="store_true", help="of runs without violations too")
    parser.add_argument("--check", type=Path, help="only check a history.jsonl that was kept")
    options = parser.parse_args()
    options.faults = [word for word in options.faults.split(",") if word]
    options.reads = [word for word in options.reads.split(",") if word]
    for words, known in ((options.faults, faults.KINDS), (options.reads, _MODES)):
        for word in words:
            if word not in known:
                parser.error(f'"{word}" is not one of {", ".join(known)}')
    return options


def _check(file: Path) -> int:
    found = check(read_history(file), TTL_S)
    for one in found:
        print(f"{one.kind} {one.key}: {one.sentence}\n{told(one.ops)}\n")
    print(f"violations: {len(found)}")
    return 1 if found else 0


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def _report(result: Result, options: argparse.Namespace) -> None:
    print(table(result), flush=True)
    if not result.violations and not options.keep_all:
        return
    place = keep(result, options.keep)
    for one in result.violations[:_SHOWN]:
        print(f"\n{one.kind} {one.key}: {one.sentence}\n{told(one.ops)}")
    print(f"\nkept in {place}; again with --seed {result.plan.seed}", flush=True)


def _end(number: int, _: object) -> None:
    """Whoever is told to end takes the servers and namespaces along."""
    sys.exit(128 + number)


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, _end)
    if options.check is not None:
        return _check(options.check)
    results: list[Result] = []
    first = options.seed or os.urandom(4).hex()
    for number in range(options.runs):
        seed = first if number == 0 else f"{first}-{number + 1}"
        modes = [_MODES[word] for word in options.reads]
        plan = Plan(
            options.servers, options.seconds, seed, options.faults, modes, plain=options.plain
        )
        try:
            results.append(run(plan, _say))
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        _report(results[-1], options)
    if len(results) > 1:
        print(f"\n{totals(results)}")
    return 1 if any(result.violations for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())

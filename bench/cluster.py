"""`make bench-cluster`: three servers of Fairlead and three of Consul, in turn on this machine.

`three.py` runs them, `spread.py` lists what is measured while all is well, and
`failover.py` kills leaders. Both are given the same flags and their defaults.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import failover, peers, report, spread
from bench.disturbance import Disturbance
from bench.errors import BenchError
from bench.machine import describe
from bench.packages import install
from bench.peers import Peer
from bench.rounds import say
from bench.spread import Plan
from bench.suite import Results

__all__ = ["main"]

_NAMES = (*spread.NAMES, failover.NAME)
_ABOUT = """\
Run three servers of Fairlead and, where it can be had, three of a real Consul
1.8.7 in turn, and print one table of medians and ratios. The whole takes about
eight minutes."""
_EXAMPLES = f"""\
what can be measured:
  {"  ".join(_NAMES)}

examples:
  python -m bench.cluster                          everything, as in docs/benchmarks.md
  python -m bench.cluster --quick                  everything, roughly, in two minutes
  python -m bench.cluster --only get put           whatever begins with these names
  python -m bench.cluster --only fail --kills 20   fail-over alone, more often
  python -m bench.cluster --fairlead consul        a Consul in Fairlead's place: ratios of 1"""


def main() -> int:
    """The exit status: 1 when something could not be measured."""
    options = _parser().parse_args()
    # Said outright, for a shell has its background jobs ignore the first.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        install("wrk")
        return _run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(options: argparse.Namespace) -> int:
    consul = None if options.no_consul else peers.consul()
    if consul is None:
        say("without Consul: Fairlead's figures alone, no ratios")
    compared = [peer for peer in (consul, _fairlead(options.fairlead)) if peer is not None]
    disturbance = Disturbance()
    folder = Path(tempfile.mkdtemp(prefix="fairlead-bench-", dir=options.folder))
    try:
        facts = {**describe(folder), **{peer.name: peer.version for peer in compared}}
        results = _measured(compared, _plan(options), folder)
    finally:
        if options.keep:
            say(f"data and logs are in {folder}")
        else:
            shutil.rmtree(folder)
    facts["used by others meanwhile"] = f"{disturbance.share():.0%} of the processors"
    print(report.header(facts), end="\n\n")
    print((report.markdown if options.markdown else report.table)(results.figures))
    for failure in results.failures:
        print(f"not measured: {failure}")
    if options.json:
        options.json.write_text(report.as_json(facts, results) + "\n")
    return 1 if results.failures else 0


def _measured(compared: Sequence[Peer], plan: Plan, folder: Path) -> Results:
    results = Results()
    spread.measure(compared, plan, folder / "whole", results)
    if plan.wants(failover.NAME):
        failover.measure(compared, plan.kills, folder / failover.NAME, results)
    return results


def _fairlead(program: str) -> Peer:
    """What is measured as Fairlead: that of this tree, or the program given."""
    ours = peers.fairlead()
    return ours._replace(version=program, program=shlex.split(program)) if program else ours


def _plan(options: argparse.Namespace) -> Plan:
    quick = options.quick
    return Plan(
        only=tuple(options.only),
        rounds=options.rounds or (1 if quick else 3),
        seconds=options.seconds or (1 if quick else 3),
        wakes=20 if quick else 100,
        kills=options.kills or (2 if quick else 10),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cluster",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="NAME", type=_name, help="measure only these")
    add("--quick", action="store_true", help="one short round, two kills")
    add("--no-consul", action="store_true", help="Fairlead alone")
    add("--fairlead", default="", metavar="PROGRAM", help="what is measured as Fairlead")
    add("--rounds", type=_positive, metavar="N", help="turns of each peer (default: 3)")
    add("--seconds", type=_positive, metavar="N", help="length of each load (default: 3)")
    add("--kills", type=_positive, metavar="N", help="leaders killed of each peer (default: 10)")
    add("--folder", type=Path, metavar="DIR", help="where the data goes for a while ($TMPDIR)")
    add("--keep", action="store_true", help="leave data and logs there")
    add("--json", type=Path, metavar="FILE", help="write every round's figures there")
    add("--markdown", action="store_true", help="print the table as Markdown")
    return parser


def _name(text: str) -> str:
    if not any(name.startswith(text) for name in _NAMES):
        raise argparse.ArgumentTypeError(f"{text}: nothing is called that; see --help")
    return text


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text}: a whole number from 1 on")
    return number


if __name__ == "__main__":
    sys.exit(main())

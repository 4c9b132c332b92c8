"""`python -m bench`: what to measure, and what to do with the figures."""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
from pathlib import Path

from bench import peers, report, suite
from bench.disturbance import Disturbance
from bench.errors import BenchError
from bench.machine import describe
from bench.million import MILLION
from bench.packages import install
from bench.rounds import say
from bench.suite import NAMES, Plan

_WATCHERS = 5000
_SERVICES = 10_000
_ABOUT = """\
Load Fairlead and, where it can be had, a real Consul 1.8.7 in turn, and print
one table of medians and ratios. The whole takes about fifteen minutes."""
_EXAMPLES = f"""\
what can be measured:
  {"  ".join(NAMES[:6])}
  {"  ".join(NAMES[6:12])}
  {"  ".join(NAMES[12:])}

examples:
  python -m bench                          everything, as in docs/benchmarks.md
  python -m bench --quick                  everything, roughly, in three minutes
  python -m bench --only get put-durable   whatever begins with these names
  python -m bench --no-million --json results.json"""


def main() -> int:
    """The exit status: 1 when something could not be measured."""
    options = _parser().parse_args()
    # Said outright, for a shell has its background jobs ignore the first.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        install("wrk")
        _raise_file_limit()
        return _run(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _run(options: argparse.Namespace) -> int:
    fairlead, consul = peers.fairlead(), None if options.no_consul else peers.consul()
    if consul is None:
        say("without Consul: Fairlead's figures alone, no ratios")
    compared = [peer for peer in (consul, fairlead) if peer is not None]
    disturbance = Disturbance()
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-", dir=options.folder) as name:
        folder = Path(name)
        facts = {**describe(folder), **{peer.name: peer.version for peer in compared}}
        results = suite.run(_plan(options, compared), folder)
    facts["used by others meanwhile"] = f"{disturbance.share():.0%} of the processors"
    print(report.header(facts), end="\n\n")
    print((report.markdown if options.markdown else report.table)(results.figures))
    for failure in results.failures:
        print(f"not measured: {failure}")
    if options.json:
        options.json.write_text(report.as_json(facts, results) + "\n")
    return 1 if results.failures else 0


def _plan(options: argparse.Namespace, compared: list[peers.Peer]) -> Plan:
    quick = options.quick
    return Plan(
        peers=compared,
        only=tuple(options.only),
        rounds=options.rounds or (2 if quick else 5),
        seconds=options.seconds or (1 if quick else 3),
        watchers=_WATCHERS,
        watcher_rounds=1 if quick else 3,
        services=_SERVICES // 10 if quick else _SERVICES,
        keys=0 if options.no_million else MILLION // 10 if quick else MILLION,
    )


def _raise_file_limit() -> None:
    """To the most we may have; children inherit it. The watchers need 5 000 files and some."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=_ABOUT,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--only", nargs="+", default=[], metavar="NAME", type=_name, help="measure only these")
    add("--quick", action="store_true", help="short runs, and a tenth of the keys and services")
    add("--no-million", action="store_true", help="leave the million keys out")
    add("--no-consul", action="store_true", help="Fairlead alone")
    add("--rounds", type=int, metavar="N", help="turns of each peer (default: 5)")
    add("--seconds", type=int, metavar="N", help="length of each turn (default: 3)")
    add("--folder", type=Path, metavar="DIR", help="where the data goes for a while ($TMPDIR)")
    add("--json", type=Path, metavar="FILE", help="write every round's figures there")
    add("--markdown", action="store_true", help="print the table as Markdown")
    return parser


def _name(text: str) -> str:
    if not any(name.startswith(text) for name in NAMES):
        raise argparse.ArgumentTypeError(f"{text}: nothing is called that; see --help")
    return text


if __name__ == "__main__":
    sys.exit(main())

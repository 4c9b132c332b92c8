"""What the comparison of clusters rests on: kills that leave nothing, and probes that count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.figures import Figure, at_most
from bench.probes import Probe
from bench.processes import Process, family
from bench.report import table
from bench.server import Server

_PATIENCE_S = 10.0


def test_a_family_is_a_process_and_all_below_it() -> None:
    everyone = [
        Process(30, 20, 0),  # older processes may have higher numbers
        Process(10, 1, 0),
        Process(20, 10, 0),
        Process(40, 1, 0),
    ]
    assert family(10, everyone) == {10, 20, 30}


@pytest.mark.parametrize("end", [Server.kill, Server.stop])
def test_a_server_that_is_ended_takes_what_it_started_with_it(
    tmp_path: Path, end: Callable[[Server], None]
) -> None:
    child = tmp_path / "child"
    # A session of its own, as whoever supervises another program may give it.
    script = f"setsid sh -c 'echo $$ > {child}.new; mv {child}.new {child}; exec sleep 600' & wait"
    server = Server("a shell", ["sh", "-c", script], 0, tmp_path / "log")
    server.spawn()
    _wait_until(child.exists)
    pid = int(child.read_text())
    end(server)
    _wait_until(lambda: not _runs(pid))


def test_a_probe_counts_failures_and_times_the_longest_silence() -> None:
    answers = iter([True, False, False, True])
    is_over, is_closed = threading.Event(), threading.Event()

    def ask() -> bool:
        answer = next(answers, None)
        if answer is None:
            is_over.set()
        return answer is not False

    with Probe(ask, is_closed.set) as probe:
        assert is_over.wait(_PATIENCE_S)
    seen = probe.seen()
    assert seen.asked >= 5
    assert seen.failed == 2
    # Three questions, 10 ms apart, from one good answer to the next.
    assert seen.gap_ms >= 25
    assert is_closed.is_set()


def test_a_count_is_printed_whole_and_held_against_its_target() -> None:
    figure = Figure("f", "failed", "", {"Consul": [0.0], "Fairlead": [2.0]}, at_most(0))
    assert table([figure]).splitlines()[1].split() == ["failed", "0", "2", "-", "≤", "0", "✗"]


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)

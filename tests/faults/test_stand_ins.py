"""The whole tool against servers that are right, and against some that are wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.checks import check
from tests.faults.history import OK, read_history
from tests.faults.lock_clients import TTL_S
from tests.faults.report import keep, table
from tests.faults.run import Plan, run
from tests.processes import ROOT

pytestmark = [pytest.mark.xdist_group("cluster"), pytest.mark.long]


def test_three_servers_that_do_not_know_each_other_are_found_out(tmp_path: Path) -> None:
    plan = Plan("strangers", 2, "seed", [], plain=True, settle_s=0.5)
    result = run(plan, lambda text: None)
    assert {"order", "lost", "recovery"} <= {one.kind for one in result.violations}

    kept = keep(result, tmp_path)
    assert kept.name == "strangers-seed"
    names = {file.name for file in kept.iterdir()}
    assert names >= {"history.jsonl", "faults.txt", "errors.txt", "violations.txt", "s1.log"}
    again = check(read_history(kept / "history.jsonl"), TTL_S)
    assert [one.sentence for one in again] == [
        one.sentence for one in result.violations if one.kind != "recovery"
    ]
    assert again[0].sentence in (kept / "violations.txt").read_text()


def test_one_server_that_is_killed_and_paused_breaks_nothing() -> None:
    plan = Plan("one", 6, "seed", ["kill", "pause", "cut"], plain=True)
    result = run(plan, lambda text: None)
    assert result.violations == []
    assert result.struck.total() >= 1
    assert result.left_out == {"cut": "needs network namespaces"}
    kinds = {op.kind for op in result.history.ops if op.outcome == OK and op.done}
    assert kinds >= {"get", "put", "cas", "delete", "acquire", "release", "fenced", "look", "data"}
    text = table(result)
    assert "| cut | left out: needs network namespaces |" in text
    assert "| acknowledged writes that are gone | 0 |" in text


def test_options_that_make_no_sense_are_refused_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--faults=kill,flood"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 2
    assert '"flood" is not one of kill, crash, pause,' in done.stderr.splitlines()[-1]

"""kill -9 and SIGTERM under load: nothing acknowledged is lost, nothing is half written."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from tests.crash.storm import Storm, seed

_KILLS = int(os.environ.get("FAIRLEAD_KILLS", "12"))
_STOPS = 3
_MOMENT_S = (0.02, 0.4)
_START_S = 0.5
_BORN_DEAD = 0.2


def kill_while_it_starts(storm: Storm) -> None:
    """One start that never comes to its end, with nobody waiting for it."""
    with open(storm.agent.log, "ab") as log:
        process = subprocess.Popen(storm.agent.command, stdout=log, stderr=log)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(storm.random.uniform(0, _START_S))
    process.kill()
    process.wait()


def check_log(storm: Storm) -> None:
    """It stopped in order the last time, and nothing ever went wrong that it did not expect."""
    assert storm.agent.stop() == 0
    log = storm.agent.log.read_text()
    assert "Traceback" not in log
    assert "[ERROR]" not in log


def test_kills_under_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with Storm(tmp_path, seed()) as storm:
        for _ in range(_KILLS):
            storm.rage(storm.random.uniform(*_MOMENT_S))
            storm.agent.kill()
            storm.join()
            if storm.random.random() < _BORN_DEAD:
                kill_while_it_starts(storm)
            storm.agent.start()
            storm.check()
        check_log(storm)
    assert storm.acknowledged > _KILLS, "hardly anything was written"
    print(storm.summary("kills", _KILLS))


def test_sigterm_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    with Storm(tmp_path, seed()) as storm:
        for _ in range(_STOPS):
            storm.rage(storm.random.uniform(*_MOMENT_S))
            storm.agent.send(signal.SIGTERM)
            assert storm.agent.wait() == 0
            storm.join()
            storm.agent.start()
            storm.check()
        check_log(storm)
    print(storm.summary("SIGTERMs", _STOPS))

"""Commands that a verb runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fairlead.cli import children
from fairlead.cli.children import Child, failure
from fairlead.cli.signals import Interrupted
from fairlead.errors import InvalidError
from tests.cli.programs import wait_until


def start(*words: str, shell: bool = True) -> Child:
    return Child(words, shell=shell, env={"GIVEN": "yes"}, stdin=subprocess.PIPE)


def test_it_gets_its_stdin_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "out"
    assert start(f'cat > {file}; echo "$GIVEN" >> {file}; exit 3').feed(b"data\n") == 3
    assert file.read_text() == "data\nyes\n"


def test_without_a_shell_words_stay_apart(tmp_path: Path) -> None:
    file = tmp_path / "a  b$HOME"
    assert start("touch", str(file), shell=False).feed(b"") == 0
    assert file.exists()


def test_words_that_are_no_text_are_passed_on_as_they_are(tmp_path: Path) -> None:
    assert start("touch", f"{tmp_path}/\udcff", shell=False).feed(b"") == 0
    assert [bytes(path)[-1:] for path in tmp_path.iterdir()] == [b"\xff"]


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InvalidError, match=r"^Error starting handler: nowhere a: no such file"):
        start("nowhere", "a", shell=False)


def test_one_that_does_not_end_when_asked_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "GRACE_S", 0.2)
    ready = tmp_path / "ready"
    child = start(f"trap '' TERM; touch {ready}; while :; do sleep 0.02; done")
    wait_until(ready.exists)
    assert child.end() is False
    assert child.poll() == -signal.SIGKILL
    child.feed(b"")


def test_ending_twice_does_no_harm() -> None:
    child = start("exit 0")
    child.feed(b"")
    assert child.end() is True
    assert child.poll() == 0


def test_an_end_is_told_in_words_of_go() -> None:
    assert failure(3) == "exit status 3"
    assert failure(-signal.SIGTERM) == "signal: terminated"
    assert failure(-signal.SIGSEGV) == "signal: segmentation fault"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who is dead but not asked for")
def test_the_dead_that_nobody_asks_for_are_not_waited_for() -> None:
    """As in a container whose first process we are: what the command leaves behind is ours."""
    script = (
        "import ctypes, subprocess\nfrom fairlead.cli.children import Child\n"
        "ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER\n"
        "child = Child(('sleep 100 & echo x; wait',), shell=True, env={}, stdin=None)\n"
        "print(child.end())\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "True"


def test_who_is_interrupted_while_it_ends_ends_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / "ready"
    child = start(f"trap '' TERM; touch {ready}; while :; do sleep 0.02; done")
    wait_until(ready.exists)

    def interrupt(_: float) -> None:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(time, "sleep", interrupt)
    with pytest.raises(Interrupted):
        child.end()
    assert child.poll() == -signal.SIGKILL
    child.feed(b"")

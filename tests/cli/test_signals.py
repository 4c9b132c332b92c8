"""Signals are kept until they may interrupt, and the second one always may."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from fairlead.cli.signals import Interrupted, Interrupts


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def test_a_signal_waits_until_it_may_interrupt() -> None:
    with Interrupts() as interrupts:
        send(signal.SIGTERM)
        done = "what must not be cut in two"
        with pytest.raises(Interrupted) as caught, interrupts.at_once():
            done = "never"
    assert done == "what must not be cut in two"
    assert caught.value.number == signal.SIGTERM


def test_a_signal_interrupts_at_once_where_it_may() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted), interrupts.at_once():
            send(signal.SIGINT)
        assert interrupts is not None


def test_the_second_signal_does_not_wait() -> None:
    with Interrupts():
        send(signal.SIGINT)
        with pytest.raises(Interrupted):
            send(signal.SIGINT)


def test_afterwards_signals_do_what_they_did_before() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    with Interrupts():
        assert [signal.getsignal(number) for number in numbers] != before
    assert [signal.getsignal(number) for number in numbers] == before


def test_who_was_started_with_nohup_survives_the_terminal() -> None:
    script = (
        "import os, signal\nfrom fairlead.cli.signals import Interrupts\n"
        "with Interrupts() as interrupts, interrupts.at_once():\n"
        "    os.kill(os.getpid(), signal.SIGHUP)\nprint('alive')\n"
    )
    command = ["nohup", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "alive\n"


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, -15), (1, -1)])
def test_the_process_ends_as_the_signal_would_end_it(number: int, code: int) -> None:
    script = f"from fairlead.cli.signals import end_by\nprint('said')\nend_by({number})\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (code, b"said\n")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_raised_where_nobody_can_catch_it_is_raised_again() -> None:
    class Left:
        def __del__(self) -> None:
            send(signal.SIGTERM)

    def leave() -> None:
        Left()
        time.sleep(5)

    with Interrupts() as interrupts, pytest.raises(Interrupted), interrupts.at_once():
        leave()


def test_what_is_cleaned_up_afterwards_is_left_alone() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Interrupted), interrupts.at_once():
            send(signal.SIGTERM)
        time.sleep(0.25)

"""`fairlead.agent.checks.runner`: when checks run, and what is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fairlead.agent.checks.contract import Outcome
from fairlead.agent.checks.counts import Counts
from fairlead.agent.checks.definition import CheckDefinition, type_of, validate
from fairlead.agent.checks.runner import Runner
from fairlead.clock import FakeClock, SystemClock
from fairlead.durations import SECOND_NS
from fairlead.errors import InvalidError
from tests.agent.checks.servers import serving

INTERVAL_NS = 10 * SECOND_NS


class Told:
    """What was reported, in order."""

    def __init__(self) -> None:
        self.rows: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()

    def __call__(self, check_id: str, status: str, output: str) -> None:
        self.rows.put_nowait((check_id, status, output))

    async def next(self) -> tuple[str, str, str]:
        return await asyncio.wait_for(self.rows.get(), 20)


class FirstMomentClock(SystemClock):
    """The real time, and no chance: every check begins at once."""

    def jitter(self, limit: float) -> float:
        return 0.0


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def runner(told: Told, clock: FakeClock) -> AsyncIterator[Runner]:
    runner = Runner(told, clock)
    yield runner
    await runner.close()


def script(line: str, **fields: int) -> CheckDefinition:
    values = {"interval_ns": INTERVAL_NS, **fields}
    return CheckDefinition(args=["/bin/sh", "-c", line], **values)  # type: ignore[arg-type]


async def test_a_check_runs_once_in_every_interval(
    runner: Runner, told: Told, clock: FakeClock
) -> None:
    runner.start("c1", script("echo up"))
    for _ in range(3):
        runner.run_due()
        assert await told.next() == ("c1", "passing", "up\n")
        clock.advance(9.9)
        runner.run_due()
        clock.advance(0.1)
    assert told.rows.empty()


async def test_intervals_under_a_second_are_a_second(
    runner: Runner, told: Told, clock: FakeClock
) -> None:
    runner.start("c1", script("echo up", interval_ns=1))
    runner.run_due()
    await told.next()
    clock.advance(0.9)
    runner.run_due()
    await asyncio.sleep(0)
    assert told.rows.empty()
    clock.advance(0.1)
    runner.run_due()
    await told.next()


async def test_a_check_never_runs_beside_itself(
    runner: Runner, told: Told, clock: FakeClock
) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        await answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    begun, answer = asyncio.Event(), asyncio.Event()
    async with serving(slow) as port:
        check = CheckDefinition(http=f"http://127.0.0.1:{port}/", interval_ns=INTERVAL_NS)
        runner.start("c1", check)
        runner.run_due()
        await begun.wait()
        begun.clear()
        clock.advance(25)
        runner.run_due()
        answer.set()
        assert (await told.next())[1] == "passing"
        assert not begun.is_set()
        clock.advance(1)  # it is late, yet it gets a moment's rest
        runner.run_due()
        assert (await told.next())[1] == "passing"


async def test_a_check_that_was_stopped_is_not_told(runner: Runner, told: Told) -> None:
    runner.start("c1", script("sleep 600"))
    runner.start("c2", script("echo up"))
    runner.run_due()
    runner.stop("c1")
    runner.stop("unknown")
    assert (await told.next())[0] == "c2"
    await runner.close()
    assert told.rows.empty()
    assert len(runner) == 0


async def test_another_definition_replaces_the_first(runner: Runner, told: Told) -> None:
    runner.start("c1", script("echo one"))
    runner.start("c1", script("echo two"))
    runner.run_due()
    assert await told.next() == ("c1", "passing", "two\n")
    assert len(runner) == 1


async def test_registering_again_and_again_does_not_keep_a_check_from_running(
    runner: Runner, told: Told, clock: FakeClock
) -> None:
    runner.start("c1", script("echo up"))
    runner.run_due()
    await told.next()
    for _ in range(10):
        clock.advance(1)
        runner.start("c1", script("echo up"))
    runner.run_due()
    await told.next()


async def test_what_is_not_polled_is_not_run(runner: Runner) -> None:
    runner.start("ttl", CheckDefinition(ttl_ns=SECOND_NS))
    runner.start("alias", CheckDefinition(alias_service="web"))
    assert len(runner) == 0


async def test_the_smaller_limit_of_the_output_counts(told: Told) -> None:
    runner = Runner(told, FirstMomentClock(), output_max_size=8)
    runner.start("agent", script("printf 0123456789", output_max_size=100))
    assert (await told.next())[2] == "Captured 8 of 10 bytes\n...\n23456789"
    runner.stop("agent")
    runner.start("own", script("printf 0123456789", output_max_size=2))
    assert (await told.next())[2] == "Captured 2 of 10 bytes\n...\n89"
    await runner.close()


async def test_checks_that_hang_delay_no_other(told: Told) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with serving(silence) as port:
        runner = Runner(told, FirstMomentClock())
        for number in range(100):
            hanging = f"127.0.0.1:{port}"
            runner.start(
                f"http{number}",
                CheckDefinition(http=f"http://{hanging}/", interval_ns=INTERVAL_NS),
            )
            runner.start(f"grpc{number}", CheckDefinition(grpc=hanging, interval_ns=INTERVAL_NS))
        for number in range(10):
            runner.start(f"script{number}", script("sleep 600"))
        runner.start("last", script("echo fine"))
        assert await told.next() == ("last", "passing", "fine\n")
        await runner.close()


@pytest.mark.parametrize(
    ("fields", "results", "expected"),
    [
        ({}, "pcw", "pcw"),
        ({"success_before_passing": 3}, "pppcpppp", "--pc--pp"),
        ({"success_before_passing": 2}, "pwcw", "-wc-"),
        ({"failures_before_critical": 3}, "pccpcccc", "p--p--cc"),
        (
            {"failures_before_warning": 2, "failures_before_critical": 3},
            "pccccp",
            "p-wccp",
        ),
    ],
)
def test_results_in_a_row_are_counted(fields: dict[str, int], results: str, expected: str) -> None:
    words = {"p": "passing", "c": "critical", "w": "warning"}
    counts = Counts(CheckDefinition(**fields))  # type: ignore[arg-type]
    told = [counts.count(Outcome(words[letter], "")) for letter in results]
    assert "".join(outcome.status[0] if outcome else "-" for outcome in told) == expected


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"http": "x"}, "Interval must be > 0 for Script, HTTP, or TCP checks"),
        ({}, "TTL must be > 0 for TTL checks"),
        ({"docker_container_id": "x", "interval_ns": 1}, "TTL must be > 0 for TTL checks"),
        ({"ttl_ns": 1, "interval_ns": 1}, "Interval and TTL cannot both be specified"),
        (
            {"http": "x", "interval_ns": 1, "alias_service": "y"},
            "Interval cannot be set for Alias checks",
        ),
        ({"ttl_ns": 1, "alias_node": "y"}, "TTL must be not be set for Alias checks"),
        (
            {"http": "x", "interval_ns": 1, "failures_before_warning": 1},
            "FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(fields: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidError) as raised:
        validate(CheckDefinition(**fields))  # type: ignore[arg-type]
    assert str(raised.value) == why


def test_of_several_kinds_the_api_names_one() -> None:
    assert type_of(CheckDefinition(http="x", tcp="y")) == "http"
    assert type_of(CheckDefinition(http="x", grpc="y", args=["z"])) == "grpc"
    assert type_of(CheckDefinition(docker_container_id="x", args=["z"])) == "docker"
    assert type_of(CheckDefinition(ttl_ns=1)) == "ttl"

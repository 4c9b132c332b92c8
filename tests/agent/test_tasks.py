"""`fairlead.agent.tasks`."""

from __future__ import annotations

import asyncio

import pytest

from fairlead.agent import tasks
from fairlead.agent.tasks import Tasks
from fairlead.errors import DeposedError, UnavailableError


async def test_a_loop_that_fails_is_logged_and_started_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "_RESTART_S", 0)
    again = asyncio.Event()
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise ZeroDivisionError("a bug")
        again.set()
        await asyncio.sleep(3600)

    running = Tasks()
    running.start("clumsy", loop)
    await asyncio.wait_for(again.wait(), 5)
    await running.stop()
    assert "a background loop failed and is started again: loop=clumsy" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text


async def test_an_error_that_is_expected_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "_RESTART_S", 0)
    again = asyncio.Event()

    async def loop() -> None:
        if "disk" not in caplog.text:
            raise UnavailableError("the disk is full")
        again.set()

    running = Tasks()
    running.start("sessions", loop)
    await asyncio.wait_for(again.wait(), 5)
    await running.stop()
    assert "is started again: loop=sessions error=the disk is full" in caplog.text
    assert "Traceback" not in caplog.text


async def test_stopping_ends_every_loop() -> None:
    ended = []

    async def loop() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(1)

    running = Tasks()
    running.start("a", loop)
    running.start("b", loop)
    await asyncio.sleep(0)
    await running.stop()
    assert ended == [1, 1]


async def test_whoever_is_cancelled_while_it_stops_loops_is_cancelled() -> None:
    ended = asyncio.Event()
    inner, outer = Tasks(), Tasks()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await ended.wait()

    async def stops_others() -> None:
        while True:
            await inner.stop()

    inner.start("inner", slow_to_end)
    await asyncio.sleep(0)
    outer.start("outer", stops_others)
    await asyncio.sleep(0)
    stopping = asyncio.create_task(outer.stop())
    await asyncio.sleep(0)
    ended.set()
    await asyncio.wait_for(stopping, 5)
    await asyncio.wait_for(inner.stop(), 5)


async def test_a_loop_that_another_server_has_to_lead_for_is_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tasks, "_RESTART_S", 0)
    again = asyncio.Event()
    runs = 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise DeposedError("No cluster leader")
        again.set()

    running = Tasks()
    running.start("membership", loop)
    await asyncio.wait_for(again.wait(), 5)
    await running.stop()
    assert "No cluster leader" not in caplog.text

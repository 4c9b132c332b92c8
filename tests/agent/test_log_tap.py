"""The log as others watch it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from fairlead.agent.log_tap import LogTap

log = logging.getLogger("agent.test")


@contextlib.asynccontextmanager
async def reading(tap: LogTap) -> AsyncIterator[AsyncGenerator[bytes, None]]:
    """The lines of a tap, attached by the time this is entered."""
    lines = tap.lines()
    first = asyncio.ensure_future(anext(lines))
    await asyncio.sleep(0)
    log.warning("attached")
    assert b"attached" in await first
    async with contextlib.aclosing(lines):
        yield lines


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger().setLevel(logging.WARNING)


async def test_lines_come_as_they_are_logged_from_the_readers_level_on() -> None:
    async with reading(LogTap(logging.DEBUG, as_json=False)) as lines:
        log.debug("found: key=%s", "a")
        text = (await anext(lines)).decode()
    assert text.endswith("Z [DEBUG] agent.test: found: key=a\n")
    assert text[0] == "2", "without the indent of the agent's own output"


async def test_json_is_one_object_a_line() -> None:
    async with reading(LogTap(logging.INFO, as_json=True)) as lines:
        log.debug("too low")
        log.error("worse")
        log.info("two\nlines")
        rows = [json.loads(line) for line in (await anext(lines)).splitlines()]
    assert [(row["@level"], row["@message"]) for row in rows] == [
        ("error", "worse"),
        ("info", "two\nlines"),
    ]


async def test_records_are_made_for_a_reader_only_while_there_is_one() -> None:
    assert not log.isEnabledFor(logging.DEBUG)
    async with reading(LogTap(logging.DEBUG, as_json=False)):
        assert log.isEnabledFor(logging.DEBUG)
    assert not log.isEnabledFor(logging.DEBUG)
    assert not any(isinstance(handler, LogTap) for handler in logging.getLogger().handlers)


async def test_what_a_slow_reader_does_not_take_is_dropped_and_counted() -> None:
    async with reading(LogTap(logging.INFO, as_json=False, limit=10)) as lines:
        for number in range(25):
            log.info("line %d", number)
        text = (await anext(lines)).decode()
        assert [f"line {number}\n" in text for number in range(25)] == [True] * 10 + [False] * 15
        assert text.endswith("lines were dropped: lines=15\n")
        log.info("after")
        assert b"after" in await anext(lines)


async def test_threads_log_too() -> None:
    async with reading(LogTap(logging.INFO, as_json=False)) as lines:
        await asyncio.to_thread(log.info, "from a thread")
        assert b"from a thread" in await anext(lines)

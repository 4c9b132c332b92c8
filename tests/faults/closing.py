"""The beginning and the end of a run: all answer; what is left is read from each of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from base64 import b64decode
from typing import Any

from tests.faults.checks import Violation, is_lock
from tests.faults.clients import Desk
from tests.faults.history import Op
from tests.faults.speaking import LostError, NotSentError, Speaker

__all__ = ["all_answer", "read_all"]

_ASK_S = 5.0


async def all_answer(desk: Desk, patience_s: float) -> list[Violation]:
    """Wait for a write through each server to be acknowledged; else a violation."""
    deadline = time.monotonic() + patience_s
    waits = (_answers(target.http, deadline) for target in desk.targets)
    errors = await asyncio.gather(*waits)
    return [
        Violation("recovery", "-", f"{target.name} takes no writes again: {error}")
        for target, error in zip(desk.targets, errors, strict=True)
        if error
    ]


async def _answers(address: str, deadline: float) -> str:
    speaker = Speaker(_ASK_S)
    error = ""
    try:
        while time.monotonic() < deadline:
            try:
                reply = await speaker.ask(address, "PUT", f"/v1/kv/faults/ready/{address}", b"")
                if reply.status == 200:
                    return ""
                error = reply.text
            except (LostError, NotSentError) as lost:
                error = f"{type(lost).__name__}: {lost}"
            await asyncio.sleep(0.2)
    finally:
        await speaker.close()
    return error or "no answer"


async def read_all(desk: Desk, settle_s: float) -> list[Violation]:
    """Add to the history what is read of every key, consistently, through each server.

    Then the memory of each server must come to be the same within `settle_s`.
    """
    found: list[Violation] = []
    kinds = {key: is_lock(ops) for key, ops in desk.history.by_key().items()}
    speaker = Speaker(60)
    rows: dict[str, Any] = {}
    try:
        for target in desk.targets:
            start = desk.now()
            try:
                rows = await _rows(speaker, target.http, "consistent")
            except (LostError, NotSentError, ValueError) as error:
                sentence = f"{target.name} cannot be read in the end: {error}"
                found.append(Violation("recovery", "-", sentence))
                continue
            process, end = desk.process(), desk.now()
            for key, lock in kinds.items():
                op = Op(process, "data" if lock else "get", key, target.name, -1, start, end)
                op.mode = "consistent"
                # Sessions run out meanwhile, so of a lock only what it guards is explained.
                row = rows.get(f"{key}/data" if lock else key, {})
                op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
                desk.history.add(op)
        waits = (_comes_to(target.http, rows, settle_s) for target in desk.targets)
        for target, same in zip(desk.targets, await asyncio.gather(*waits), strict=True):
            if not same:
                sentence = f"the memory of {target.name} is another one after {settle_s:.0f} s"
                found.append(Violation("recovery", "-", sentence))
    finally:
        await speaker.close()
    return found


async def _rows(speaker: Speaker, address: str, mode: str) -> dict[str, Any]:
    reply = await speaker.ask(address, "GET", f"/v1/kv/faults/?recurse&{mode}")
    if reply.status != 200:
        raise ValueError(f"{reply.status} {reply.text}")
    rows = {row["Key"]: row for row in json.loads(reply.body)}
    for row in rows.values():
        row["Value"] = b64decode(row["Value"] or "").decode()
    return rows


async def _comes_to(address: str, rows: dict[str, Any], settle_s: float) -> bool:
    """Whether its own memory comes to hold these values; holders of locks may still end."""
    wanted = {key: row["Value"] for key, row in rows.items()}
    deadline = time.monotonic() + settle_s
    speaker = Speaker(_ASK_S)
    try:
        while time.monotonic() < deadline:
            own: dict[str, Any] = {}
            with contextlib.suppress(LostError, NotSentError, ValueError):
                own = await _rows(speaker, address, "stale")
            if {key: row["Value"] for key, row in own.items()} == wanted:
                return True
            await asyncio.sleep(0.3)
    finally:
        await speaker.close()
    return False

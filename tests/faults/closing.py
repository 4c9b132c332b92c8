"""The beginning and the end of a run: all answer; what is left is read from each of them."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64decode
from typing import Any

from tests.faults.checks import Violation, is_lock
from tests.faults.clients import Desk
from tests.faults.history import History, Op
from tests.faults.speaking import Lost, NotSent, Speaker

__all__ = ["all_answer", "read_all"]

_CONVERGE_S = 30.0
_ASK_S = 5.0


async def all_answer(desk: Desk, patience_s: float) -> list[Violation]:
    """Wait until a write through each server is acknowledged; a violation for each that never is."""
    deadline = time.monotonic() + patience_s
    waits = (_answers(target.http, deadline) for target in desk.targets)
    errors = await asyncio.gather(*waits)
    return [
        Violation(
            "recovery", "-", f"{target.name} takes no write after {patience_s:.0f} s: {error}"
        )
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
            except (Lost, NotSent) as lost:
                error = f"{type(lost).__name__}: {lost}"
            await asyncio.sleep(0.2)
    finally:
        await speaker.close()
    return error or "no answer"


async def read_all(desk: Desk) -> list[Violation]:
    """Add to the history what is read of every key, consistently, through each server.

    Then the memory of each server must come to be the same.
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
            except (Lost, NotSent, ValueError) as error:
                sentence = f"{target.name} cannot be read in the end: {error}"
                found.append(Violation("recovery", "-", sentence))
                continue
            process = desk.process()
            times = {"start": start, "end": desk.now(), "mode": "consistent"}
            for key, lock in kinds.items():
                where = {"server": target.name, "incarnation": -1, **times}
                _add(desk.history, Op(process, "get", key, **where), rows, lock=lock)
        for target in desk.targets:
            if not await _comes_to(speaker, target.http, rows):
                sentence = f"the memory of {target.name} is another one after {_CONVERGE_S:.0f} s"
                found.append(Violation("recovery", "-", sentence))
    finally:
        await speaker.close()
    return found


def _add(history: History, op: Op, rows: dict[str, Any], *, lock: bool) -> None:
    if not lock:
        row = rows.get(op.key, {})
        op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
        history.add(op)
        return
    # Sessions run out while this is read, so of locks only what they guard has to be explained.
    op.kind = "data"
    row = rows.get(f"{op.key}/data", {})
    op.value, op.index = row.get("Value"), row.get("ModifyIndex", 0)
    history.add(op)


async def _rows(speaker: Speaker, address: str, mode: str) -> dict[str, Any]:
    reply = await speaker.ask(address, "GET", f"/v1/kv/faults/?recurse&{mode}")
    if reply.status != 200:
        raise ValueError(f"{reply.status} {reply.text}")
    rows = {row["Key"]: row for row in json.loads(reply.body)}
    for row in rows.values():
        row["Value"] = b64decode(row["Value"] or "").decode()
    return rows


async def _comes_to(speaker: Speaker, address: str, rows: dict[str, Any]) -> bool:
    """Whether its own memory comes to hold these values; holders of locks may still end."""
    wanted = {key: row["Value"] for key, row in rows.items()}
    deadline = time.monotonic() + _CONVERGE_S
    while time.monotonic() < deadline:
        try:
            own = await _rows(speaker, address, "stale")
        except (Lost, NotSent, ValueError):
            own = {}
        if {key: row["Value"] for key, row in own.items()} == wanted:
            return True
        await asyncio.sleep(0.3)
    return False

"""What clients did and were told: one `Op` a request, one line of JSON an `Op`."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["FAIL", "OK", "UNKNOWN", "History", "Op", "read_history"]

OK, FAIL, UNKNOWN = "ok", "fail", "unknown"


class Op(Struct, omit_defaults=True):
    """One request of a client. Times are seconds since the run began.

    `get` `put` `cas` `delete` are of a key of its own; `acquire` `release` `fenced`
    `look` `data` are of a lock with what it guards, `key` being the name of both;
    `create` `renew` `destroy` are of a session that is used for that lock alone.
    """

    process: int
    kind: str
    key: str
    server: str = ""
    incarnation: int = 0
    """How often that server had been started by then."""
    start: float = 0.0
    end: float = 0.0
    outcome: str = OK
    """`ok`: answered. `fail`: certainly not done. `unknown`: done at any time, or never."""
    mode: str = ""
    """Of reads: empty for default, `consistent` or `stale`."""
    value: str | None = None
    """What was written or read; None for a key that is not there."""
    expected: str | None = None
    """What a `cas` wants to find; None for a key that is not there."""
    done: bool = True
    """The answer of a write: false when it was refused by the state."""
    index: int = 0
    """The `ModifyIndex` that was read; 0 for a key that is not there."""
    seen_index: int = 0
    """`X-Consul-Index` of a read."""
    session: str = ""
    lock_index: int = 0
    """Of `look`: what was read. Of `fenced`: of the holding it belongs to, 0 when unknown."""
    error: str = ""

    @property
    def until(self) -> float:
        """When it was over; never for one whose outcome is unknown."""
        return inf if self.outcome == UNKNOWN else self.end


class History:
    """All ops of a run, in the order in which they ended."""

    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self.ops: list[Op] = list(ops)

    def add(self, op: Op) -> None:
        self.ops.append(op)

    def by_key(self) -> dict[str, list[Op]]:
        found: dict[str, list[Op]] = {}
        for op in self.ops:
            found.setdefault(op.key, []).append(op)
        return found

    def write(self, file: Path) -> None:
        encode = msgspec.json.Encoder().encode
        with open(file, "wb") as lines:
            lines.writelines(encode(op) + b"\n" for op in self.ops)


def read_history(file: Path) -> History:
    """The history that `History.write` left."""
    return History(msgspec.json.decode(line, type=Op) for line in file.read_bytes().splitlines())

"""The language of a link: frames, and frames as bytes.

A frame is four bytes of length, big endian, and that much msgpack: an array
whose first element says which frame it is. Requests and their answers carry an
id, so that many are under way at once; a body over `PART_BYTES` follows its
frame in parts.

    server  Hello     who it is, and a challenge
    client  Login     who it is, its challenge, and its proof of the secret
    server  Welcome | Refused
    client  Ask [Part...] | Submit | Fetch | Cancel | Beat | Leave
    server  Answer [Part...] | Result | Failed | Pulse | Left

A server that follows is a client of the one that leads; it sends Confirm, Enlist,
Depart and Report besides, and hears Applied. Between servers of different datacenters both send
`Roster`, and whoever logged in `Execute`.

Servers that look for each other say `Gather` instead of `Login`, once, and hear
`Gathered` or `Refused`.

Rule: pure; whatever bytes come in, a frame comes out or `BrokenFrameError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from fairlead.core.rows import MemberRow, NodeRow, Position, QueryRow
from fairlead.errors import InvalidError

__all__ = [
    "GREETING_LIMIT_BYTES",
    "LIMIT_BYTES",
    "PART_BYTES",
    "VERSION",
    "Answer",
    "Applied",
    "Ask",
    "Beat",
    "BrokenFrameError",
    "Cancel",
    "Confirm",
    "Decoder",
    "Depart",
    "Enlist",
    "Execute",
    "Failed",
    "Fetch",
    "Frame",
    "Gather",
    "Gathered",
    "Hello",
    "Leave",
    "Left",
    "Login",
    "Part",
    "Pulse",
    "Refused",
    "Report",
    "Result",
    "Roster",
    "Submit",
    "Welcome",
    "decode_value",
    "encode",
    "encode_value",
]

VERSION = 2
LIMIT_BYTES = 8 * 1024 * 1024
"""No frame is longer."""
GREETING_LIMIT_BYTES = 64 * 1024
"""Nor any of somebody who has not proved to know the secret."""
PART_BYTES = 1024 * 1024
"""Bodies are cut into pieces of this size."""


class Hello(Struct, frozen=True, array_like=True, tag=1):
    """What a server says first."""

    version: int
    name: str
    nonce: bytes


class Login(Struct, frozen=True, array_like=True, tag=2):
    """An agent that wants in; `port` and `tags` are those of its member row."""

    version: int
    nonce: bytes
    proof: bytes
    node: NodeRow
    port: int
    tags: dict[str, str]


class Welcome(Struct, frozen=True, array_like=True, tag=3):
    """It is in; `servers` are all there are, as `host:port`."""

    proof: bytes
    servers: list[str]
    interval_ns: int


class Refused(Struct, frozen=True, array_like=True, tag=4):
    """It is not, and why; the connection ends."""

    reason: str


class Ask(Struct, frozen=True, array_like=True, tag=5):
    """An HTTP request that came to the client; with `more`, parts follow.

    A server passes on what came to it: `source` is the node of the agent it came to first.
    """

    id: int
    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]] = []
    body: bytes = b""
    more: bool = False
    source: str = ""


class Answer(Struct, frozen=True, array_like=True, tag=6):
    """Its answer; `headers` are lines as they are sent. With `more`, parts follow.

    `index` is the server's, when it answered.
    """

    id: int
    status: int
    content_type: bytes
    headers: bytes
    body: bytes
    more: bool = False
    index: int = 0


class Part(Struct, frozen=True, array_like=True, tag=7):
    """More of the body of a request or of an answer."""

    id: int
    data: bytes
    last: bool


class Cancel(Struct, frozen=True, array_like=True, tag=8):
    """Whoever asked has gone."""

    id: int


class Submit(Struct, frozen=True, array_like=True, tag=9):
    """A command for the registry; `kind` is its class, `command` its msgpack."""

    id: int
    kind: str
    command: bytes


class Fetch(Struct, frozen=True, array_like=True, tag=10):
    """What does the catalog hold of a node?"""

    id: int
    node: str


class Attend(Struct, frozen=True, array_like=True, tag=17):
    """Answer when that may be something else."""

    id: int
    node: str


class Question(Struct, frozen=True, array_like=True, tag=18):
    """A DNS message that came to the client from `source`."""

    id: int
    data: bytes
    is_tcp: bool
    source: str


class Result(Struct, frozen=True, array_like=True, tag=11):
    """The answer to what has an id and is no `Ask`, as msgpack."""

    id: int
    value: bytes


class Failed(Struct, frozen=True, array_like=True, tag=12):
    """It was refused; `kind` is the error's class."""

    id: int
    kind: str
    text: str


class Beat(Struct, frozen=True, array_like=True, tag=13):
    """The client lives, stands there, and measured that round trip last (0: none).

    `index` is what the memory of a server has that follows; 0 of others.
    """

    number: int
    rtt_ns: int
    position: Position | None
    index: int = 0


class Pulse(Struct, frozen=True, array_like=True, tag=14):
    """The server heard it; the next beat is wanted after `interval_ns`. `nodes` there are."""

    number: int
    interval_ns: int
    position: Position
    servers: list[str]
    nodes: int = 1


class Leave(Struct, frozen=True, array_like=True, tag=15):
    """The client leaves the cluster for good."""


class Left(Struct, frozen=True, array_like=True, tag=16):
    """It is out."""


class Confirm(Struct, frozen=True, array_like=True, tag=40):
    """Answer with the index that a read must have seen, once it is `seen` at least.

    `quorum`: a majority is asked first.
    """

    id: int
    quorum: bool
    seen: int


class Applied(Struct, frozen=True, array_like=True, tag=44):
    """The leader's memory has that index: followers may show it."""

    index: int


class Enlist(Struct, frozen=True, array_like=True, tag=41):
    """An agent has linked to a server that follows."""

    id: int
    node: NodeRow
    member: MemberRow


class Depart(Struct, frozen=True, array_like=True, tag=42):
    """An agent there leaves the cluster for good."""

    id: int
    name: str


class Report(Struct, frozen=True, array_like=True, tag=43):
    """The nodes of agents there that were heard of, and of those whose links broke."""

    heard: list[str]
    broke: list[str]


class Gather(Struct, frozen=True, array_like=True, tag=60):
    """A server looks for others: what it knows (`agent/etcd/peers.py`), as msgpack, proved."""

    version: int
    nonce: bytes
    proof: bytes
    view: bytes


class Gathered(Struct, frozen=True, array_like=True, tag=61):
    """What the server that was asked knows."""

    proof: bytes
    view: bytes


class Roster(Struct, frozen=True, array_like=True, tag=50):
    """The servers known: those of the own datacenter as they are, others as they were heard of."""

    members: list[MemberRow]


class Execute(Struct, frozen=True, array_like=True, tag=51):
    """What does a prepared query of another datacenter find here? `limit` 0 is none."""

    id: int
    query: QueryRow
    limit: int = 0
    connect: bool = False


Frame: TypeAlias = (
    Hello
    | Login
    | Welcome
    | Refused
    | Ask
    | Answer
    | Part
    | Cancel
    | Submit
    | Fetch
    | Attend
    | Question
    | Result
    | Failed
    | Beat
    | Pulse
    | Leave
    | Left
    | Applied
    | Confirm
    | Enlist
    | Depart
    | Report
    | Gather
    | Gathered
    | Roster
    | Execute
)


class BrokenFrameError(InvalidError):
    """These bytes are no frame: whoever sent them speaks another language."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode
encode_value = _encode
"""A value of `Result` or a command as msgpack."""


def encode(frame: Frame) -> bytes:
    """The frame with its length."""
    body = _encode(frame)
    return len(body).to_bytes(4, "big") + body


def decode_value(data: bytes, kind: Any = Any) -> Any:
    """What `encode_value` made.

    Raises:
        BrokenFrameError: it is no such value.
    """
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise BrokenFrameError(f"cannot be read: {error}") from error


class Decoder:
    """Bytes as they arrive, to whole frames."""

    __slots__ = ("_buffer", "limit_bytes")

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now.

        Raises:
            BrokenFrameError: too long, or none; nothing after it can be read.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= 4:
                size = int.from_bytes(buffer[start : start + 4], "big")
                if size > self.limit_bytes:
                    raise BrokenFrameError(f"a frame of {size} bytes, or no frame at all")
                if len(buffer) - start - 4 < size:
                    break
                start += 4 + size
                yield _frame(bytes(buffer[start - size : start]))
        finally:
            del buffer[:start]


def _frame(data: bytes) -> Frame:
    try:
        frame: Frame = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BrokenFrameError(f"a frame that cannot be read: {error}") from error
    return frame

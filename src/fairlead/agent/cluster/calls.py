"""What a client has asked its server and not heard the answer of.

A read that was under way when the link broke is asked again over the next one.
A write is not: nobody knows whether it happened, and its caller is told so. What
was not sent yet waits for the next link, for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.contracts import Reply
from fairlead.errors import FairleadError, UnavailableError

__all__ = ["NO_SERVER", "Call", "Calls", "Question", "into"]

NO_SERVER = "No known Consul servers"
_UNKNOWN = (
    "the link to the server broke before it answered: the write may have happened, or may not"
)

Question = (
    frames.Submit
    | frames.Fetch
    | frames.Attend
    | frames.Question
    | frames.Execute
    | frames.Confirm
    | frames.Enlist
    | frames.Depart
)
"""What is answered by `Result` or `Failed`."""

_Answer = frames.Answer | frames.Result | frames.Failed


class Call:
    """One question; `reply` is called once, with its answer or the error."""

    __slots__ = ("_head", "_parts", "body", "frame", "is_read", "is_sent", "reply")

    def __init__(
        self,
        frame: frames.Ask | Question,
        reply: Callable[[Any], None],
        *,
        is_read: bool,
        body: bytes = b"",
    ) -> None:
        self.frame = frame
        self.body = body
        self.reply = reply
        self.is_read = is_read
        self.is_sent = False
        self._head: frames.Answer | None = None
        self._parts: list[bytes] = []

    def send(self, send: Callable[[frames.Frame], None]) -> None:
        """Ask, from the beginning; a long body follows in parts."""
        self.is_sent = True
        self._head = None
        send(self.frame)
        body = self.body
        for start in range(0, len(body), frames.PART_BYTES):
            part = body[start : start + frames.PART_BYTES]
            send(frames.Part(self.frame.id, part, start + len(part) == len(body)))

    def hear(self, frame: _Answer | frames.Part) -> Any:
        """The whole answer, or None as long as parts of it are missing."""
        if isinstance(frame, frames.Part):
            if self._head is None:
                return None
            self._parts.append(frame.data)
            if not frame.last:
                return None
            head, body = self._head, b"".join(self._parts)
            return Reply(head.status, head.content_type, head.headers, body, index=head.index)
        if isinstance(frame, frames.Answer):
            if frame.more:
                self._head, self._parts = frame, [frame.body]
                return None
            return Reply(
                frame.status, frame.content_type, frame.headers, frame.body, index=frame.index
            )
        return frame


class Calls:
    """All that are under way, by id."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._calls)

    def new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def add(self, call: Call) -> None:
        self._calls[call.frame.id] = call

    def heard(self, frame: _Answer | frames.Part) -> None:
        """An answer came, or part of one; to a call that was cancelled it says nothing."""
        call = self._calls.get(frame.id)
        if call is None:
            return
        answer = call.hear(frame)
        if answer is not None:
            del self._calls[frame.id]
            call.reply(answer)

    def drop(self, call: Call) -> bool:
        """The caller has gone; whether it was under way."""
        return self._calls.pop(call.frame.id, None) is not None

    def resend(self, send: Callable[[frames.Frame], None]) -> None:
        """A new link is there: ask what was not asked over it yet."""
        for call in list(self._calls.values()):
            if not call.is_sent:
                call.send(send)

    def broke(self) -> None:
        """The link broke: reads are kept for the next one, writes are told."""
        for call in list(self._calls.values()):
            if call.is_read:
                call.is_sent = False
            elif call.is_sent:
                self._fail(call, UnavailableError(_UNKNOWN))

    def give_up(self, error: FairleadError) -> None:
        """No link came in time."""
        for call in list(self._calls.values()):
            if not call.is_sent:
                self._fail(call, error)

    def _fail(self, call: Call, error: FairleadError) -> None:
        del self._calls[call.frame.id]
        call.reply(error)


def into(future: asyncio.Future[Any]) -> Callable[[Any], None]:
    """A `reply` that goes into a future."""

    def reply(answer: Any) -> None:
        if future.done():
            return
        if isinstance(answer, FairleadError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    return reply

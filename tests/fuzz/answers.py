"""A strict reader of HTTP/1.1 answers: what is not exactly as RFC 9112 has it fails the test."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Answer", "Asked", "check_statuses", "read_answers"]

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\x20-\x7e]*")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n\0]*)")
_LENGTH = re.compile(rb"[0-9]{1,12}")
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")


class Asked(NamedTuple):
    """What the form of an answer depends on."""

    method: bytes = b"GET"
    version: bytes = b"1.1"


class Answer(NamedTuple):
    """One answer; the names of `headers` are in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get(b"connection") == b"close"


def read_answers(data: bytes, asked: Sequence[Asked] = ()) -> list[Answer]:
    """All answers in `data`; `asked` are the requests, as far as they are known.

    Raises:
        AssertionError: a byte that does not belong there, or an answer without an end.
    """
    answers: list[Answer] = []
    while data:
        question = asked[len(answers)] if len(answers) < len(asked) else Asked()
        answer, data = _read_answer(data, question)
        if answer.status >= 200:
            answers.append(answer)
    return answers


def _read_answer(data: bytes, asked: Asked) -> tuple[Answer, bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    assert end, f"an answer whose head does not end: {data[:200]!r}"
    first, *lines = head.split(b"\r\n")
    found = _STATUS_LINE.fullmatch(first)
    assert found, f"not a status line: {first[:200]!r}"
    status = int(found[1])
    headers = _headers(lines)
    if status < 200:
        assert not headers, "an interim answer needs no headers"
        return Answer(status, headers, b""), rest
    assert b"date" in headers or status == 429, "an answer without a date"
    body, rest = _body(asked, status, headers, rest)
    return Answer(status, headers, body), rest


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    headers: dict[bytes, bytes] = {}
    for line in lines:
        found = _HEADER.fullmatch(line)
        assert found, f"not a header: {line[:200]!r}"
        name = found[1].lower()
        assert name not in headers, f"twice the header {name!r}"
        headers[name] = found[2]
    return headers


def _body(
    asked: Asked, status: int, headers: dict[bytes, bytes], rest: bytes
) -> tuple[bytes, bytes]:
    """The body and what follows it (RFC 9112, 6.3)."""
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    assert length is None or coding is None, "both a length and a coding"
    if asked.method == b"HEAD" or status in (204, 304):
        # Whoever refuses to read on need not have understood that it was a HEAD.
        refusal = status in (400, 413, 431) and headers.get(b"connection") == b"close"
        return (rest, b"") if refusal and length == b"%d" % len(rest) else (b"", rest)
    if coding is not None:
        assert coding == b"chunked", coding
        assert asked.version == b"1.1", "HTTP/1.0 knows no chunks"
        return _chunks(rest)
    if length is None:
        ends = asked.version == b"1.0" and headers.get(b"connection") == b"close"
        assert ends, "an answer without a length"
        return rest, b""
    assert _LENGTH.fullmatch(length), length
    size = int(length)
    assert len(rest) >= size, f"{len(rest)} bytes of a body of {size}"
    return rest[:size], rest[size:]


def _chunks(rest: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        found = _CHUNK.match(rest)
        assert found, f"not a chunk: {rest[:100]!r}"
        size = int(found[1], 16)
        chunk, rest = rest[found.end() : found.end() + size], rest[found.end() + size :]
        assert len(chunk) == size, "a chunk that is cut short"
        assert rest[:2] == b"\r\n", "a chunk without its end"
        rest = rest[2:]
        body += chunk
        if not size:
            return body, rest


def check_statuses(answers: Sequence[Answer]) -> None:
    """No request may bring out an error of the server's own; there is one 500 by contract."""
    for answer in answers:
        own_fault = answer.status >= 500 and answer.body != b"No path to datacenter"
        assert not own_fault, f"{answer.status} {answer.body!r}"

"""Arbitrary bytes into a connection, in arbitrary pieces: always HTTP out, always the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.http.wire import Connection
from tests.fuzz.answers import Answer, read_answers
from tests.fuzz.limits import examples, within
from tests.fuzz.nonsense import Sent, damaged, joined, pieces, requests
from tests.fuzz.wires import LATER, Admit, Echo, Wire, converse

_LIMIT_S = 30.0
_SLUGGISH_BYTES = 100
_GET = b"GET /a HTTP/1.1\r\n\r\n"
_PUT = b"PUT /later HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"
_UPGRADE = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
_OFFER = (
    b"PUT / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"Content-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n"
)

_cuts = st.lists(st.integers(0, 2000), max_size=8)
_later = requests().map(
    lambda sent: sent._replace(data=sent.data.replace(b" /v1/kv/", b" " + LATER, 1))
)
_pipelines = st.lists(st.one_of(requests(), _later), min_size=1, max_size=6)
_garbage = st.one_of(st.binary(max_size=60), damaged(_pipelines.map(joined)))


class Line:
    """Connections one after the other, in a loop that runs."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner

    def talk(self, chunks: list[bytes], echo: Echo, buffer_bytes: int = 1 << 30) -> Wire:
        async def run() -> Wire:
            return converse(echo, chunks, buffer_bytes)

        with within(_LIMIT_S):
            return self._runner.run(run())

    def answers(self, chunks: list[bytes], buffer_bytes: int = 1 << 30) -> list[Answer]:
        """The answers, checked: one to each request that was understood, then at most a refusal."""
        echo = Echo()
        wire = self.talk(chunks, echo, buffer_bytes)
        answers = read_answers(bytes(wire.written), echo.asked)
        refusals = answers[len(echo.asked) :]
        assert len(answers) >= len(echo.asked), "a request that was understood, but not answered"
        assert [answer.status for answer in refusals] in ([], [400], [413], [431])
        assert all(answer.status == 200 for answer in answers[: len(echo.asked)])
        assert not any(answer.closes for answer in answers[:-1]), "answers after the last one"
        if answers and answers[-1].closes:
            assert wire.closed or wire.eof, "a connection that says it closes, but does not"
        assert wire.closed or wire.eof or not wire.is_starved, "bytes that are never read"
        return answers


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with asyncio.Runner() as runner:
        yield Line(runner)


@examples(0.5)
@given(sent=_pipelines, cuts=_cuts)
def test_every_whole_request_is_answered_however_it_is_cut(
    line: Line, sent: list[Sent], cuts: list[int]
) -> None:
    data = joined(sent)
    whole = line.answers([data])
    assert len(whole) == len(sent) or whole[-1].closes
    assert line.answers(pieces(data, cuts)) == whole
    assert line.answers([one.data for one in sent]) == whole


@examples(0.15)
@given(sent=_pipelines)
def test_a_client_that_reads_slowly_gets_the_same_answers(line: Line, sent: list[Sent]) -> None:
    chunks = [one.data for one in sent]
    assert line.answers(chunks, _SLUGGISH_BYTES) == line.answers(chunks)
    assert line.answers([joined(sent)], _SLUGGISH_BYTES) == line.answers(chunks)


@examples(0.1)
@given(sent=requests())
def test_a_request_may_come_byte_by_byte(line: Line, sent: Sent) -> None:
    data = sent.data[:3000]
    assert line.answers([bytes([byte]) for byte in data]) == line.answers([data])


@examples(0.75)
@given(data=_garbage, cuts=_cuts)
@example(data=_GET + b"\0\r\n\r\n", cuts=[len(_GET)])
@example(data=_PUT + b"\0\r\n\r\n", cuts=[len(_PUT)])
@example(data=_PUT + _GET * 400, cuts=[])
@example(data=_UPGRADE * 1500, cuts=[])
@example(data=_OFFER + b"GET /b HTTP/1.1\r\n\r\n", cuts=[])
@example(data=b"CONNECT localhost:80 HTTP/1.1\r\n\r\n", cuts=[])
@example(data=b"PUT / HTTP/1.1\r\nContent-Length: " + b"0" * 5000 + b"1\r\n\r\nx", cuts=[])
def test_garbage_is_refused_the_same_way_however_it_is_cut(
    line: Line, data: bytes, cuts: list[int]
) -> None:
    assert line.answers(pieces(data, cuts)) == line.answers([data])


@examples(0.25)
@given(data=_garbage)
@example(data=_GET + b"\0\r\n\r\n")
def test_the_same_bytes_get_the_same_answer_the_second_time(line: Line, data: bytes) -> None:
    echo = Echo()
    first, second = line.talk([data], echo), line.talk([data], echo)
    assert second.written == first.written
    assert (second.closed or second.eof) == (first.closed or first.eof)


@examples(0.15)
@given(sent=_pipelines, at=st.integers(0, 3000))
def test_what_a_client_waits_for_is_freed_when_it_goes(
    line: Line, sent: list[Sent], at: int
) -> None:
    async def run() -> None:
        echo = Echo()
        wire = Wire(Connection(echo, Admit()), _SLUGGISH_BYTES)
        wire.feed(joined(sent)[:at])
        wire.lose()
        written = bytes(wire.written)
        assert not echo.parked, "a question nobody waits for any more"
        echo.release()
        assert wire.written == written

    with within(_LIMIT_S):
        asyncio.run(run())

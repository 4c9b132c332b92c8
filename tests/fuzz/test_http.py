"""Nonsense over real sockets to a real agent: an answer or a clean end, and nobody else notices."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fuzz.agents import Victim, connect, hear
from tests.fuzz.answers import Answer, check_statuses, read_answers
from tests.fuzz.limits import examples
from tests.fuzz.nonsense import GOODBYE, Sent, damaged, joined, pieces, requests

pytestmark = pytest.mark.xdist_group("fuzz-http")

_RESET = struct.pack("ii", 1, 0)
_DATE = re.compile(rb"Date: [^\r]*")
_cuts = st.lists(st.integers(0, 2000), max_size=5)
_garbage = st.one_of(
    st.binary(max_size=60), damaged(st.lists(requests(), min_size=1, max_size=3).map(joined))
)
_SAMPLES = [
    b"GET /v1/kv/alive?raw HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PUT /v1/kv/sample?flags=7 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
    b"PUT /v1/kv/sample HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    b"GET /v1/kv/nothing HTTP/1.1\r\n\r\nGET /v1/status/peers HTTP/1.1\r\n\r\n",
    b"DELETE /v1/kv/nothing HTTP/1.1\r\n\r\n",
    b"GET /v1/kv/%zz HTTP/1.1\r\n\r\n",
    b"\0\1\2\3\r\n\r\n",
]


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    victim = Victim(tmp_path_factory.mktemp("victim"))
    yield victim
    victim.close()


def ask(victim: Victim, sent: list[Sent], chunks: list[bytes]) -> list[Answer]:
    """The answers to `sent`, which `chunks` are made of: one each, until one that closes."""
    answers = read_answers(victim.say([*chunks, GOODBYE]), [one.asked for one in sent])
    check_statuses(answers)
    assert not any(answer.closes for answer in answers[:-1]), "answers after the last one"
    assert answers, "no answer"
    assert answers[-1].closes
    assert len(answers) <= len(sent) + 1
    return answers


@examples(0.25)
@given(sent=requests(), cuts=_cuts)
def test_a_whole_request_is_answered(victim: Victim, sent: Sent, cuts: list[int]) -> None:
    ask(victim, [sent], pieces(sent.data, cuts))
    victim.check()


@examples(0.15)
@given(sent=st.lists(requests(), min_size=2, max_size=8), cuts=_cuts)
def test_pipelined_requests_are_answered_in_turn(
    victim: Victim, sent: list[Sent], cuts: list[int]
) -> None:
    ask(victim, sent, pieces(joined(sent), cuts))
    victim.check()


@examples(0.15)
@given(sent=requests().filter(lambda sent: sent.reads), cuts=_cuts)
def test_in_pieces_or_whole_the_answer_is_the_same(
    victim: Victim, sent: Sent, cuts: list[int]
) -> None:
    victim.check()
    whole = victim.say([sent.data, GOODBYE])
    split = victim.say([*pieces(sent.data, cuts), GOODBYE])
    assert _DATE.sub(b"", split) == _DATE.sub(b"", whole)


@pytest.mark.parametrize("data", _SAMPLES, ids=range(len(_SAMPLES)))
def test_a_request_split_at_any_byte_gets_the_same_answer(victim: Victim, data: bytes) -> None:
    victim.check()
    whole = _DATE.sub(b"", victim.say([data, GOODBYE]))
    for cut in range(1, len(data)):
        assert _DATE.sub(b"", victim.say([data[:cut], data[cut:], GOODBYE])) == whole
    byte_by_byte = [bytes([byte]) for byte in data]
    assert _DATE.sub(b"", victim.say([*byte_by_byte, GOODBYE])) == whole
    victim.check()


@examples(0.25)
@given(data=_garbage, cuts=_cuts)
@example(data=_SAMPLES[1] + b"\0\r\n\r\n", cuts=[])
def test_garbage_is_answered_in_http_and_the_connection_ends(
    victim: Victim, data: bytes, cuts: list[int]
) -> None:
    with connect(victim.port) as client:
        try:
            for chunk in pieces(data, cuts):
                client.sendall(chunk)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was closed on us: what it said before that is still to be heard
        heard = hear(client)
    assert heard[:7] in (b"", b"HTTP/1.")
    if b"HEAD" not in data:
        check_statuses(read_answers(heard))
    victim.check()


@examples(0.15)
@given(
    sent=st.lists(requests(), min_size=1, max_size=3), at=st.integers(0, 3000), reset=st.booleans()
)
def test_a_client_that_goes_in_the_middle_harms_nobody(
    victim: Victim, sent: list[Sent], at: int, reset: bool
) -> None:
    with connect(victim.port) as client:
        client.sendall(joined(sent)[:at])
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    victim.check()


def test_garbage_behind_a_blocking_read_does_not_harm_the_writers(victim: Victim) -> None:
    victim.check()
    _, body = victim.request("GET", "/v1/kv/alive")
    index = json.loads(body)[0]["ModifyIndex"]
    with connect(victim.port) as client:
        client.sendall(b"GET /v1/kv/alive?index=%d HTTP/1.1\r\n\r\n\0\r\n\r\n" % index)
        for _ in range(3):
            victim.check()
        answers = read_answers(hear(client))
    assert [answer.status for answer in answers] == [200, 400]


@pytest.mark.parametrize(
    ("announced", "given"), [(10, 3), (3, 10), (0, 5), (2**63, 1), (2**64, 1), (-1, 1)]
)
def test_a_wrong_content_length_harms_nobody(victim: Victim, announced: int, given: int) -> None:
    head = b"PUT /v1/kv/wrong HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % announced
    with connect(victim.port) as client:
        client.sendall(head + b"x" * given)
        client.shutdown(socket.SHUT_WR)
        check_statuses(read_answers(hear(client)))
    victim.check()


def test_two_lengths_or_a_length_and_chunks_are_refused(victim: Victim) -> None:
    for lines in (
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ):
        heard = victim.say([b"PUT /v1/kv/two HTTP/1.1\r\n" + lines + b"\r\n0\r\n\r\n"])
        assert [answer.status for answer in read_answers(heard)] == [400], lines
    victim.check()


def test_a_head_without_end_is_refused(victim: Victim) -> None:
    for start, more in (
        (b"GET /", b"x" * 4096),
        (b"GET / HTTP/1.1\r\n", b"X: " + b"y" * 4096 + b"\r\n"),
        (b"GET / HTTP/1.1\r\nX: ", b"y" * 4096),
    ):
        answers = read_answers(victim.say([start, *[more] * 600]))
        assert [answer.status for answer in answers] in ([400], [431])
    victim.check()


def test_a_trailer_without_end_is_refused(victim: Victim) -> None:
    start = b"PUT /v1/kv/trailer HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: "
    answers = read_answers(victim.say([start, *[b"y" * 4096] * 600]))
    assert [answer.status for answer in answers] in ([400], [431])
    victim.check()


def test_a_refusal_reaches_a_client_that_goes_on_sending(victim: Victim) -> None:
    with connect(victim.port) as client:
        client.sendall(b"GET /v1/kv/%zz HTTP/1.1\r\n\r\n")
        for _ in range(100):
            client.sendall(b"x" * 4096)
        heard = b""
        while data := client.recv(1 << 16):
            heard += data
    assert [answer.status for answer in read_answers(heard)] == [400]
    victim.check()


def test_a_body_over_its_limit_is_refused_before_it_is_sent(victim: Victim) -> None:
    for path in (b"/v1/kv/big", b"/v1/txn", b"/v1/session/create", b"/v1/nothing", b"/"):
        head = (
            b"PUT " + path + b" HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"
        )
        answers = read_answers(victim.say([head]))
        assert [answer.status for answer in answers] == [413], path
    victim.check()

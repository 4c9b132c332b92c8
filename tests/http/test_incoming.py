"""`fairlead.http.incoming`: which requests bytes are made of."""

from __future__ import annotations

import pytest

from fairlead.http.incoming import Incoming, Turn
from fairlead.http.messages import Request, Response
from tests.fuzz.wires import ECHO_LIMIT_BYTES, Echo

_OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAE\r\n"


def turns_of(*chunks: bytes) -> list[Turn]:
    incoming = Incoming(Echo())
    return [turn for chunk in chunks for turn in incoming.feed(chunk)]


def summary(turns: list[Turn]) -> list[object]:
    """Bodies of requests, statuses of refusals, interim answers as they are."""
    return [
        turn.body
        if isinstance(turn, Request)
        else turn.status
        if isinstance(turn, Response)
        else turn
        for turn in turns
    ]


def put(body: bytes, lines: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"PUT /a HTTP/%b\r\n%bContent-Length: %d\r\n\r\n" % (version, lines, len(body))
    return head + body


def test_the_body_of_a_request_that_offers_an_upgrade_is_its_body() -> None:
    body = b"GET / HTTP/1.1\r\n\r\n"
    (turn,) = turns_of(put(body, _OFFER))
    assert isinstance(turn, Request)
    assert turn.body == body
    assert turn.headers == {b"content-length": b"18"}


def test_a_thousand_offers_in_one_piece_are_a_thousand_requests() -> None:
    assert summary(turns_of(put(b"x", _OFFER) * 1000)) == [b"x"] * 1000


def test_an_offer_to_upgrade_does_not_hide_that_the_connection_closes() -> None:
    lines = b"Connection: close\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
    (turn,) = turns_of(put(b"x", lines) + put(b"y"))
    assert isinstance(turn, Request)
    assert not turn.keep_alive


def test_an_offer_is_told_to_continue_once() -> None:
    turns = turns_of(put(b"x", _OFFER + b"Expect: 100-continue\r\n"))
    assert summary(turns) == [b"HTTP/1.1 100 Continue\r\n\r\n", b"x"]


def test_nobody_is_told_to_continue_who_sends_nothing() -> None:
    lines = b"Expect: 100-continue\r\n"
    assert summary(turns_of(put(b"", lines) + put(b"", lines, b"1.0"))) == [b"", b""]


def test_clients_of_http_1_0_know_no_interim_answers() -> None:
    assert summary(turns_of(put(b"x", b"Expect: 100-continue\r\n", b"1.0"))) == [b"x"]


@pytest.mark.parametrize("closing", [put(b"x", b"Connection: close\r\n"), put(b"x", b"", b"1.0")])
@pytest.mark.parametrize("behind", [put(b"y"), b"\0\1\2", b"G"])
def test_nothing_behind_a_request_that_closes_is_understood(closing: bytes, behind: bytes) -> None:
    assert summary(turns_of(closing + behind)) == [b"x"]


def test_nothing_behind_a_refusal_is_understood() -> None:
    turns = turns_of(put(b"x") + b"\0\r\n\r\n" + put(b"y"))
    assert summary(turns) == [b"x", 400]
    too_large = put(b"x" * (ECHO_LIMIT_BYTES + 1))
    assert summary(turns_of(put(b"x") + too_large + put(b"y"))) == [b"x", 413]


@pytest.mark.parametrize("lines", [b"", b"Content-Length: 2\r\n", b"Upgrade: h2c\r\n"])
def test_a_tunnel_is_refused_once(lines: bytes) -> None:
    for target in (b"/", b"localhost:80"):
        data = b"CONNECT %b HTTP/1.1\r\n%b\r\nxx" % (target, lines)
        assert summary(turns_of(data, data)) == [400]


def test_a_length_may_have_thousands_of_leading_zeros() -> None:
    head = b"PUT /a HTTP/1.1\r\nContent-Length: " + b"0" * 5000
    assert summary(turns_of(head + b"1 \r\n\r\nx", head + b"\r\n\r\n")) == [b"x", b""]


def test_a_trailer_adds_nothing_to_the_headers() -> None:
    head = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    (turn,) = turns_of(head + b"1\r\nx\r\n0\r\nX-Consul-Token: t\r\n\r\n")
    assert isinstance(turn, Request)
    assert turn.headers == {b"transfer-encoding": b"chunked"}


def test_many_small_chunks_are_no_endless_trailer() -> None:
    head = b"PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    extension = b";x=" + b"y" * 5000
    chunks = [b"1%b\r\nx\r\n" % extension] * 1000
    assert summary(turns_of(head, *chunks, b"0\r\n\r\n")) == [b"x" * 1000]
    assert summary(turns_of(head, *chunks, b"0\r\n", *[b"X: " + b"y" * 5000] * 1000)) == [431]

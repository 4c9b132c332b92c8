"""`fairlead.agent.cluster.frames`: whatever comes in, a frame comes out or one named error."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.frames import BrokenFrameError, Decoder, encode
from fairlead.core.rows import MemberRow, QueryDNS, QueryRow, QueryService, QueryTemplate
from fairlead.core.vivaldi import ORIGIN
from tests.agent.cluster.linked import node_row

SAMPLES: list[frames.Frame] = [
    frames.Hello(1, "s1", b"n" * 32),
    frames.Login(1, b"n", b"p", node_row("c1"), 8301, {"role": "node"}),
    frames.Welcome(b"p", ["10.0.0.1:8300"], 10**9),
    frames.Refused("no"),
    frames.Ask(1, "GET", b"/v1/kv/a", [(b"x-consul-token", b"t")], b"body"),
    frames.Answer(1, 200, b"text/plain", b"A: b\r\n", b"body", True),
    frames.Part(1, b"x", True),
    frames.Cancel(1),
    frames.Submit(1, "CatalogDeregister", b"c"),
    frames.Fetch(1, "n1"),
    frames.Attend(1, "n1"),
    frames.Question(1, b"q", False, "10.0.0.1"),
    frames.Result(1, b"v"),
    frames.Failed(1, "InvalidError", "no"),
    frames.Beat(1, 5, ORIGIN),
    frames.Pulse(1, 10**9, ORIGIN, []),
    frames.Leave(),
    frames.Left(),
    frames.Confirm(1, True, 7),
    frames.Applied(7),
    frames.Enlist(1, node_row("c1", 1), MemberRow("c1", "127.0.0.1", 8301, {}, 1)),
    frames.Depart(1, "c1"),
    frames.Report(["c1"], ["c2"]),
    frames.Roster([MemberRow("s1.dc2", "10.0.0.9", 8302, {"dc": "dc2"}, 1)]),
    frames.Execute(
        1, QueryRow("i", "q", "", "", QueryTemplate(), QueryService("web"), QueryDNS()), 3
    ),
    frames.Gather(1, b"n", b"p", b"v"),
    frames.Gathered(b"p", b"v"),
]


def test_every_kind_of_frame_is_here() -> None:
    assert {type(sample) for sample in SAMPLES} == set(frames.Frame.__args__)


@given(st.integers(1, 200))
def test_frames_survive_any_cut_into_packets(size: int) -> None:
    data = b"".join(encode(sample) for sample in SAMPLES)
    decoder = Decoder()
    found: list[frames.Frame] = []
    for start in range(0, len(data), size):
        found += decoder.feed(data[start : start + size])
    assert found == SAMPLES


@given(st.binary(max_size=300))
def test_garbage_is_one_named_error_or_nothing(data: bytes) -> None:
    try:
        list(Decoder().feed(len(data).to_bytes(4, "big") + data))
        list(Decoder().feed(data))
    except BrokenFrameError:
        pass


@given(st.sampled_from(SAMPLES), st.data())
def test_a_damaged_frame_is_a_frame_or_one_named_error(
    sample: frames.Frame, draw: st.DataObject
) -> None:
    data = bytearray(encode(sample))
    data[draw.draw(st.integers(4, len(data) - 1))] = draw.draw(st.integers(0, 255))
    with contextlib.suppress(BrokenFrameError):
        list(Decoder().feed(bytes(data)))


def test_a_frame_over_the_limit_is_refused_before_it_is_read() -> None:
    decoder = Decoder(100)
    with pytest.raises(BrokenFrameError, match="a frame of 101 bytes"):
        list(decoder.feed((101).to_bytes(4, "big")))


def test_deep_nesting_is_no_frame() -> None:
    data = b"\x91" * 100_000
    with pytest.raises(BrokenFrameError):
        list(Decoder().feed(len(data).to_bytes(4, "big") + data))


def test_a_value_of_the_wrong_kind_is_one_named_error() -> None:
    with pytest.raises(BrokenFrameError):
        frames.decode_value(msgspec.msgpack.encode({"a": 1}), int)

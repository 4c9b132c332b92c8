"""Any bytes as a DNS message: an answer or silence, and never more than the asker can take."""

from __future__ import annotations

import random
import struct

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from fairlead.core.commands import CatalogRegister
from fairlead.core.rows import Service
from fairlead.dns import wire
from fairlead.dns.answers import Search
from fairlead.dns.names import Zones
from fairlead.dns.reverse import Reverse
from fairlead.dns.rules import Rules
from fairlead.dns.wire import Question
from tests.dns.catalogs import full, node, registration
from tests.fuzz.limits import examples

_META = {f"key {number}=": "x`" * 200 for number in range(40)}
STATE = full(
    CatalogRegister(node("m0", "10.0.0.1", _META), []),
    CatalogRegister(node("loop", "loop.node.consul"), []),
    CatalogRegister(node("to-web", "web.service.consul"), []),
    *(
        registration(f"m{number}", f"10.1.0.{number}", Service("web", "web", ["v1"], port=80))
        for number in range(60)
    ),
    registration("odd", "fd00::1", Service("odd", "odd", address="a..b", port=-1)),
    registration("x" * 80, "10.0.0.2", Service("web", "web", port=70000)),
)
RULES = Rules(Zones("consul", "alt.example"), node="n1", recursion=True, truncates=True)
_EDNS_BYTES = 11 + 24


def answered(data: bytes, *, is_tcp: bool = False) -> None:
    """Whatever comes, it is a message that others can read, and fits."""
    question = wire.read(data, is_tcp=is_tcp)
    if question is None:
        return
    if isinstance(question, Question):
        answer = Search(
            STATE,
            RULES,
            question,
            now_s=2**32 + 5,
            shuffle=random.shuffle,
            resolved={},
            reverse=Reverse(),
        ).run()
        reply = data[:2] + wire.write(question, answer.message)
        limit = 65535 if is_tcp else max(512, question.size) + _EDNS_BYTES
    else:
        reply, limit = question, len(data)
    assert len(reply) <= limit
    assert reply[:2] == data[:2]
    assert reply[2] & 0x80
    dns.message.from_wire(reply)


@given(st.binary(max_size=600), st.booleans())
@examples()
def test_any_bytes_get_an_answer_or_silence(data: bytes, is_tcp: bool) -> None:
    answered(data, is_tcp=is_tcp)


_label = st.one_of(
    st.sampled_from(
        b"web service consul node m0 loop to-web odd _web _tcp _v1 v1 addr query connect ingress "
        b"dc1 dc2 alt example arpa in-addr ip6 10 0 1 0a000001 WEB Service".split()
    ),
    st.binary(min_size=1, max_size=63),
)
_types = st.one_of(
    st.sampled_from([1, 2, 5, 6, 12, 15, 16, 28, 33, 252, 255]), st.integers(0, 65535)
)


@given(
    st.lists(_label, max_size=7),
    _types,
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.one_of(st.none(), st.tuples(st.integers(0, 65535), st.binary(max_size=40))),
    st.binary(max_size=12),
    st.booleans(),
)
@examples()
def test_any_question_gets_an_answer_or_silence(
    labels: list[bytes],
    type_: int,
    class_: int,
    flags: int,
    opt: tuple[int, bytes] | None,
    rest: bytes,
    is_tcp: bool,
) -> None:
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    data = struct.pack("!HHHHHH", 7, flags & 0x07FF, 1, 0, 0, opt is not None)
    data += name + struct.pack("!HH", type_, class_)
    if opt is not None:
        size, options = opt
        data += b"\0" + struct.pack("!HHIH", 41, size, 0, len(options)) + options
    answered(data + rest, is_tcp=is_tcp)


@given(st.data())
@examples(0.5)
def test_a_damaged_question_gets_an_answer_or_silence(data: st.DataObject) -> None:
    message = dns.message.make_query("_web._tcp.service.dc1.consul", "SRV", use_edns=0)
    raw = bytearray(message.to_wire())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    answered(bytes(raw[: data.draw(st.integers(0, len(raw)))]))

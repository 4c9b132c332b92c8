"""`fairlead.dns.wire`: bytes in, a question or an excuse; records out, readable by others."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import pytest

from fairlead.dns import wire
from fairlead.dns.records import SOA, SRV, A, Record, Service, Start
from fairlead.dns.wire import Message, Question, Subnet

NAME = b"\3web\7service\6consul\0"
ASKED = NAME + b"\0\1\0\1"
EMPTY_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def header(flags: int = 0x0100, *counts: int) -> bytes:
    return struct.pack("!HHHHHH", 0x1234, flags, *(counts or (1, 0, 0, 0)))


def read(data: bytes) -> Question:
    found = wire.read(data)
    assert isinstance(found, Question)
    return found


@pytest.mark.parametrize("data", [b"", b"\1\2", header()[:11], header(0x8100) + ASKED])
def test_what_is_no_question_is_met_with_silence(data: bytes) -> None:
    assert wire.read(data) is None


@pytest.mark.parametrize(
    "data",
    [
        header(0x0100, 0, 0, 0, 0),
        header(0x0100, 2, 0, 0, 0) + ASKED + ASKED,
        header(0x0100, 1, 2, 0, 0) + ASKED,
        header(0x0100, 1, 0, 2, 0) + ASKED,
        header(0x0100, 1, 0, 0, 3) + ASKED,
        header(),
        header() + ASKED[:7],
        header() + NAME,
        header() + b"\xc0\x0c\0\1\0\1",
        header() + b"\3web\xc0\x0c\0\1\0\1",
        header() + b"\x40abc\0\0\1\0\1",
        header() + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",
    ],
)
def test_a_question_that_cannot_be_read_is_a_format_error(data: bytes) -> None:
    assert wire.read(data) == b"\x12\x34\x81\x01" + bytes(8)


@pytest.mark.parametrize("opcode", [1, 2, 4, 5, 15])
def test_other_opcodes_are_not_implemented(opcode: int) -> None:
    answer = wire.read(header(0x0100 | opcode << 11) + ASKED)
    assert isinstance(answer, bytes)
    assert answer[3] & 0x0F == 4
    assert len(answer) == 12


@pytest.mark.parametrize(
    "rest",
    [
        b"junk",
        EMPTY_OPT[:5],
        b"\0\0\1\0\1\0\0\0\0\0\4abcd",
        b"\xc0",
    ],
)
def test_what_stands_behind_a_good_question_is_overlooked(rest: bytes) -> None:
    assert read(header(0x0100, 1, 0, 0, 1) + ASKED + rest).size == -1


def test_the_size_of_edns_is_read() -> None:
    assert read(header(0x0100, 1, 0, 0, 1) + ASKED + EMPTY_OPT).size == 1232


@pytest.mark.parametrize(
    "options",
    [
        b"\0\x08\0",
        b"\0\x0a\0\x08",
        b"\0\x08\0\x03\0\1\x18",
        b"\0\x08\0\x07\0\7\x18\0\x0a\0\1",
        b"\0\x08\0\x07\0\1\x21\0\x0a\0\1",
        b"\0\x08\0\x09\0\1\x18\0\x0a\0\1\2\3",
    ],
)
def test_options_that_cannot_be_read_are_a_format_error(options: bytes) -> None:
    opt = b"\0\0\x29\x04\xd0\0\0\0\0" + len(options).to_bytes(2, "big") + options
    answer = wire.read(header(0x0100, 1, 0, 0, 1) + ASKED + opt)
    assert isinstance(answer, bytes)
    assert answer[3] & 0x0F == 1
    assert answer[12:] == ASKED


def test_a_client_subnet_comes_back_with_its_scope() -> None:
    message = dns.message.make_query("web.service.consul", "A")
    message.use_edns(options=[dns.edns.ECSOption("10.1.2.3", 20)])
    question = read(message.to_wire())
    assert question.subnet == Subnet(1, 20, b"\x0a\x01\x00")
    for is_global, scope in ((True, 0), (False, 20)):
        answer = Message(is_global=is_global)
        back = dns.message.from_wire(b"\0\0" + wire.write(question, answer))
        (option,) = back.options
        assert option.to_text() == f"ECS 10.1.0.0/20 scope/{scope}"


def test_odd_characters_match_no_name() -> None:
    assert read(header() + b"\5w.b\0c\0\0\1\0\1").text == r"w\.b\000c"
    assert read(header() + b"\2a \0\0\1\0\1").text == r"a\ "
    assert read(header() + b"\1\xe9\0\0\1\0\1").text == r"\233"


def test_an_answer_is_what_was_written() -> None:
    question = read(header(0x0110) + ASKED)
    message = Message(
        0,
        [Record(None, A, 5, b"\x0a\0\0\1"), Record(None, SRV, 6, Service(7, 8, "n1.node.consul"))],
        [Record("consul", SOA, 0, Start("ns.consul", "hostmaster.consul", (1, 2, 3, 4, 5)))],
        [Record("n1.node.consul", A, 9, b"\x0a\0\0\2")],
    )
    for compress in (True, False):
        data = b"\x12\x34" + wire.write(question, message, compress=compress)
        back = dns.message.from_wire(data)
        assert dns.flags.to_text(back.flags) == "QR AA RD CD"
        assert [rrset.to_text() for section in back.sections[1:] for rrset in section] == [
            "web.service.consul. 5 IN A 10.0.0.1",
            "web.service.consul. 6 IN SRV 1 7 8 n1.node.consul.",
            "consul. 0 IN SOA ns.consul. hostmaster.consul. 1 2 3 4 5",
            "n1.node.consul. 9 IN A 10.0.0.2",
        ]
        assert (len(data) < 160) == compress


def test_the_question_comes_back_as_spelled() -> None:
    asked = b"\3WeB\7service\6CONSUL\0\0\1\0\1"
    question = read(header() + asked)
    assert wire.write(question, Message())[10:] == asked


def test_pointers_reach_only_so_far() -> None:
    question = read(header() + ASKED)
    many = [Record(f"n{number}.node.consul", A, 0, b"\x0a\0\0\1") for number in range(3000)]
    twice = Message(0, many, [], many)
    back = dns.message.from_wire(b"\0\0" + wire.write(question, twice), one_rr_per_rrset=True)
    assert len(back.answer) == len(back.additional) == 3000

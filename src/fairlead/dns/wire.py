"""Messages as bytes: reading questions, writing answers.

The common question is read here, in a few steps; whatever is odd about one is
either overlooked, as Consul's library does, or answered FORMERR. Names are
compressed as that library compresses them, so that limits in bytes cut at the
same record.
Source: RFC 1035, 6891 (EDNS), 7871 (client subnet); `github.com/miekg/dns`.

Rule: `read` returns; it never raises, whatever the bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from fairlead.dns.records import Record, Service, Start

__all__ = [
    "FORMERR",
    "NOTIMP",
    "NXDOMAIN",
    "REFUSED",
    "SERVFAIL",
    "Message",
    "Question",
    "Subnet",
    "read",
    "refusal",
    "write",
]

FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 1, 2, 3, 4, 5

_QR, _AA, _TC, _RD, _RA, _CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0010
_OPCODES = 0x7800
_HEADER = struct.Struct("!HHHHHH")
_PAIR = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_OPT = 41
_SUBNET = 8
_LONGEST_NAME = 255
_POINTERS = 0xC0
# Offsets a pointer cannot hold.
_FAR = 0x4000
_IN = 1
_FAMILY_BITS = {0: 0, 1: 32, 2: 128}
_ESCAPED = frozenset(b'"\\().;@ ')


class Subnet(NamedTuple):
    """The client a resolver asks for (RFC 7871); `address` as it came."""

    family: int
    bits: int
    address: bytes


class Question(NamedTuple):
    """What was asked. `text` is the name as spelled, `name` its bytes."""

    flags: int
    name: bytes
    text: str
    type: int
    class_: int
    size: int = -1  # the buffer the client has; -1 when it speaks no EDNS
    subnet: Subnet | None = None
    is_tcp: bool = False

    @property
    def has_edns(self) -> bool:
        return self.size >= 0


class Message(NamedTuple):
    """An answer before it is bytes."""

    rcode: int = 0
    answers: Sequence[Record] = ()
    authority: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    is_authoritative: bool = True
    is_truncated: bool = False
    can_recurse: bool = False
    has_edns: bool = True
    is_global: bool = True  # the same for every client subnet


# ---------------------------------------------------------------- reading


def read(data: bytes, *, is_tcp: bool = False) -> Question | bytes | None:
    """The question; or what to answer instead; or nothing, where any answer would be abuse."""
    if len(data) < _HEADER.size:
        return None
    _, flags, questions, answers, authority, additional = _HEADER.unpack_from(data)
    if flags & _QR:
        return None
    if flags & _OPCODES:
        return refusal(data, NOTIMP)
    if questions != 1 or answers > 1 or authority > 1 or additional > 2:
        return refusal(data, FORMERR)
    found = _read_name(data, _HEADER.size)
    if found is None or found[1] + 4 > len(data):
        return refusal(data, FORMERR)
    text, end = found
    type_, class_ = _PAIR.unpack_from(data, end)
    question = Question(flags, data[_HEADER.size : end], text, type_, class_, is_tcp=is_tcp)
    if end + 4 == len(data):
        return question
    return _with_edns(data, end + 4, answers + authority, additional, question)


def refusal(data: bytes, rcode: int, question: bytes = b"") -> bytes:
    """A header that says no, and the question if it could be read."""
    id_, flags = _PAIR.unpack_from(data)
    kept = flags & (_OPCODES | _RD | _CD)
    return _HEADER.pack(id_, _QR | kept | rcode, 1 if question else 0, 0, 0, 0) + question


def _read_name(data: bytes, at: int) -> tuple[str, int] | None:
    """The name there as text, and where it ends. A question's own has no pointers."""
    labels = []
    begin = at
    while True:
        if at >= len(data):
            return None
        length = data[at]
        at += 1
        if not length:
            break
        if length & _POINTERS or at + length > len(data):
            return None
        labels.append(_label(data[at : at + length]))
        at += length
    return (".".join(labels), at) if at - begin <= _LONGEST_NAME else None


def _label(raw: bytes) -> str:
    """A label as text, what no host name has escaped as in zone files."""
    text = raw.decode("latin-1")
    if text.replace("-", "a").replace("_", "a").isalnum() and text.isascii():
        return text
    return "".join(
        f"\\{chr(byte)}"
        if byte in _ESCAPED
        else chr(byte)
        if 0x20 < byte < 0x7F
        else f"\\{byte:03d}"
        for byte in raw
    )


def _with_edns(
    data: bytes, at: int, skipped: int, additional: int, question: Question
) -> Question | bytes:
    """The question with what its OPT record says. Records that are cut off are overlooked."""
    for number in range(skipped + additional):
        name_end = _skip_name(data, at)
        if name_end is None or name_end + _RECORD.size > len(data):
            return question
        type_, size, _, length = _RECORD.unpack_from(data, name_end)
        at = name_end + _RECORD.size + length
        if type_ == _OPT and number >= skipped:
            if at > len(data):
                return refusal(data, FORMERR, _asked(question))
            options = data[at - length : at]
            subnet = _find_subnet(options)
            if subnet is False:
                return refusal(data, FORMERR, _asked(question))
            found = subnet if isinstance(subnet, Subnet) else None
            return question._replace(size=size, subnet=found)
        if at > len(data):
            return question
    return question


def _asked(question: Question) -> bytes:
    return question.name + _PAIR.pack(question.type, question.class_)


def _skip_name(data: bytes, at: int) -> int | None:
    while at < len(data):
        length = data[at]
        if length & _POINTERS:
            return at + 2
        at += 1 + length
        if not length:
            return at
    return None


def _find_subnet(options: bytes) -> Subnet | bool:
    """The client subnet among the options, or whether they can be read at all."""
    found: Subnet | bool = True
    at = 0
    while at < len(options):
        if at + 4 > len(options):
            return False
        code, length = _PAIR.unpack_from(options, at)
        at += 4 + length
        if at > len(options):
            return False
        if code == _SUBNET:
            raw = options[at - length : at]
            if length < 4 or not _is_subnet(raw):
                return False
            found = Subnet(raw[1], raw[2], raw[4:])
    return found


def _is_subnet(raw: bytes) -> bool:
    bits = _FAMILY_BITS.get(raw[0] << 8 | raw[1])
    return bits is not None and raw[2] <= bits and raw[3] <= bits and len(raw) - 4 <= bits // 8


# ---------------------------------------------------------------- writing


def write(question: Question, message: Message, *, compress: bool = True) -> bytes:
    """The answer as bytes, without the two of its id: they are the asker's."""
    writer = _Writer(question, compress)
    out = writer.out
    flags = _QR | (question.flags & (_RD | _CD)) | message.rcode
    flags |= message.is_authoritative and _AA
    flags |= message.is_truncated and _TC
    flags |= message.can_recurse and _RA
    edns = question.has_edns and message.has_edns
    counts = (
        len(message.answers),
        len(message.authority),
        len(message.additional) + edns,
    )
    struct.pack_into("!HHHHH", out, 0, flags, 1, *counts)
    for section in (message.answers, message.authority, message.additional):
        for record in section:
            writer.add(record)
    if edns:
        out += _edns(question, is_global=message.is_global or message.rcode != 0)
    return bytes(out)


def _edns(question: Question, *, is_global: bool) -> bytes:
    options = b""
    if question.subnet is not None:
        family, bits, address = question.subnet
        # As many bytes as the bits need, and none of the bits beyond them.
        length = (bits + 7) // 8
        number = int.from_bytes(address[:length].ljust(length, b"\0"), "big")
        number &= -1 << (length * 8 - bits)
        scope = 0 if is_global else bits
        raw = struct.pack("!HBB", family, bits, scope) + number.to_bytes(length, "big")
        options = _PAIR.pack(_SUBNET, len(raw)) + raw
    return b"\0" + _RECORD.pack(_OPT, question.size, 0, len(options)) + options


class _Writer:
    """Writes records, pointing back to names written before."""

    __slots__ = ("compress", "names", "out", "owner")

    def __init__(self, question: Question, compress: bool) -> None:
        # The id is left out: offsets are two less than in the message.
        self.out = bytearray(_HEADER.size - 2)
        self.compress = compress
        self.names: dict[str, int] = {}
        # The offsets of a name with escapes are not those of its text.
        at, rest = _HEADER.size, "" if "\\" in question.text else question.text
        while rest:
            self.names[rest] = at
            label, _, rest = rest.partition(".")
            at += 1 + len(label)
        self.owner = b"\xc0\x0c" if compress and question.text else question.name
        self.out += _asked(question)

    def add(self, record: Record) -> None:
        out = self.out
        owner, type_, ttl, data = record
        if owner is None:
            out += self.owner
        else:
            self._name(owner, self.compress)
        if isinstance(data, bytes):
            out += _RECORD.pack(type_, _IN, ttl, len(data))
            out += data
            return
        out += _RECORD.pack(type_, _IN, ttl, 0)
        begin = len(out)
        if isinstance(data, Service):
            out += struct.pack("!HHH", 1, data.weight & 0xFFFF, data.port & 0xFFFF)
            # RFC 2782: a target is never compressed, though others may point to it.
            self._name(data.target, False)
        elif isinstance(data, Start):
            self._name(data.server, self.compress)
            self._name(data.mailbox, self.compress)
            out += struct.pack("!IIIII", *data.numbers)
        else:
            self._name(data, self.compress)
        struct.pack_into("!H", out, begin - 2, len(out) - begin)

    def _name(self, text: str, may_point: bool) -> None:
        out, names, rest = self.out, self.names, text
        while rest:
            at = names.get(rest)
            if at is None:
                if len(out) + 2 < _FAR:
                    names[rest] = len(out) + 2
            elif may_point:
                out += (0xC000 | at).to_bytes(2, "big")
                return
            label, _, rest = rest.partition(".")
            raw = label.encode()
            out.append(len(raw))
            out += raw
        out.append(0)

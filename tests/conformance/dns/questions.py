"""Questions as lines of text, put to a server, and the answers as two servers can share them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

__all__ = ["Question", "Seen", "ask", "parse"]

_PATIENCE_S = 5.0
_INSTANCE = re.compile(r"crowd-1\d\d|host-\d+|10\.\d\.0\.\d+|fd00::\d+|fd0+1\d\d|0a[0-9a-f]{6}")
# Where the servers talk to each other is each agent's own affair.
_OWN_PORT = re.compile(r"(?<=^1 1 )\d+(?= n1\.)")
_SECTIONS = ("answer", "authority", "additional")


@dataclass(frozen=True)
class Question:
    """One line of the file; `text` is that line."""

    text: str
    name: str
    type: str
    options: dict[str, str]

    def message(self) -> dns.message.Message:
        """The question as it is sent."""
        name = dns.name.from_text(self.name) if self.name[:1] != "." else _odd(self.name)
        message = dns.message.make_query(name, self.type, self.options.get("class", "IN"))
        if "norec" in self.options:
            message.flags &= ~dns.flags.RD
        if "edns" in self.options:
            options: list[dns.edns.Option] = []
            if "ecs" in self.options:
                address, _, bits = self.options["ecs"].partition("/")
                options.append(dns.edns.ECSOption(address, int(bits)))
            message.use_edns(0, 0, int(self.options["edns"]), options=options)
        return message


def _odd(text: str) -> dns.name.Name:
    """The root, or a name that begins with a dot in a label."""
    return dns.name.root if text == "." else dns.name.from_text("\\" + text)


@dataclass(frozen=True)
class Seen:
    """An answer, with all that two servers can have alike."""

    rcode: str
    flags: str
    question: str
    counts: tuple[int, ...]
    sections: tuple[tuple[str, ...], ...]
    edns: str

    def lines(self) -> list[str]:
        found = [f"{self.rcode} {self.flags} q={self.question} {self.counts} {self.edns}"]
        for name, section in zip(_SECTIONS, self.sections, strict=True):
            shown = section[:8]
            found += [f"{name:>10} {line}" for line in shown]
            if len(section) > len(shown):
                found.append(f"{name:>10} ... {len(section)}")
        return found


def parse(path: Path) -> list[Question]:
    found = []
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith(("#", "//")):
            continue
        name, type_, *rest = line.split()
        options = dict(word.partition("=")[::2] for word in rest)
        found.append(Question(line, name, type_, options))
    return found


def ask(question: Question, host: str, port: int) -> Seen:
    """What a server answers."""
    message = question.message()
    send = dns.query.tcp if "tcp" in question.options else dns.query.udp
    answer = send(message, host, _PATIENCE_S, port, one_rr_per_rrset=True)
    return _seen(answer, any_instance="some" in question.options)


def _seen(answer: dns.message.Message, *, any_instance: bool) -> Seen:
    sections = [_records(section) for section in answer.sections[1:]]
    if any_instance:
        sections = [[_INSTANCE.sub("*", line) for line in section] for section in sections]
    options = " ".join(option.to_text() for option in answer.options)
    return Seen(
        rcode=dns.rcode.to_text(answer.rcode()),
        flags=dns.flags.to_text(answer.flags),
        question=" ".join(line.to_text() for line in answer.question),
        counts=tuple(len(section) for section in sections),
        sections=tuple(tuple(sorted(section)) for section in sections),
        edns=f"EDNS {answer.payload} {options}" if answer.edns >= 0 else "",
    )


def _records(section: list[dns.rrset.RRset]) -> list[str]:
    found = []
    for records in section:
        for record in records:
            text = record.to_text()
            if records.rdtype == dns.rdatatype.SOA:
                server, mailbox, _, *numbers = text.split()
                text = " ".join([server, mailbox, "SERIAL", *numbers])
            type_ = dns.rdatatype.to_text(records.rdtype)
            class_ = dns.rdataclass.to_text(records.rdclass)
            text = _OWN_PORT.sub("PORT", text)
            found.append(f"{records.name} {records.ttl} {class_} {type_} {text}")
    return found

"""How much of an answer goes out: limits on records and on bytes, as Consul cuts.

Without EDNS a UDP answer has at most `udp_answer_limit` records and 512 bytes;
with it, as many as the client's buffer takes. What is added for a record goes
with the record.
Source: `trimDNSResponse` and `syncExtra` of Consul 1.8.
"""

from __future__ import annotations

from typing import NamedTuple

from fairlead.dns.records import CNAME, SRV, Record, Service
from fairlead.dns.rules import Rules
from fairlead.dns.wire import Message, Question, write

__all__ = ["Cut", "fit", "trim"]

_PLAIN_UDP = 512
_MOST_UDP = 0xFFFF - 68
_MOST_TCP = 65523
# Consul's margin, and its most records of either kind.
_MARGIN = 7
_MOST_RECORDS = 4096
_MOST_TARGETS = 1024
# No record is smaller: a pointer, the fixed part, an IPv4 address.
_LEAST_RECORD = 16
_HEADER_BYTES = 12


class Cut(NamedTuple):
    """What is left."""

    answers: list[Record]
    additional: list[Record]
    is_truncated: bool


def trim(
    answers: list[Record], additional: list[Record], question: Question | None, rules: Rules
) -> Cut:
    """Cut what a service has to the size its asker can take; nested look-ups have no question."""
    most = _MOST_TARGETS if answers and answers[0].type == SRV else _MOST_RECORDS
    whole = len(answers)
    answers = answers[:most]
    is_plain = question is None or (not question.is_tcp and _udp_size(question) == _PLAIN_UDP)
    compress = rules.compresses
    if is_plain and len(answers) > rules.udp_answer_limit:
        answers = answers[: rules.udp_answer_limit]
        # The limit of 512 bytes is held even should somebody unpack the names.
        compress = False
    kept = _with(answers, additional) if len(answers) < whole else additional
    if question is not None:
        limit = _MOST_TCP if question.is_tcp else _udp_size(question) - _MARGIN
        least = 0 if question.is_tcp else 1
        is_long = _bound(question, answers, kept) > limit and (
            _size(question, answers, kept, compress=compress) > limit
        )
        if is_long and len(answers) > least:
            answers = _shortened(question, answers, additional, limit, least, compress=compress)
            kept = _with(answers, additional)
    was_cut = len(answers) < whole and question is not None
    return Cut(answers, kept, was_cut and rules.truncates)


def fit(
    answers: list[Record], additional: list[Record], question: Question, rules: Rules
) -> tuple[list[Record], list[Record], bool]:
    """What of a node's records fits the asker; whether an answer was left out (TC)."""
    limit = _MOST_TCP if question.is_tcp else _udp_size(question)
    while additional and _size(question, answers, additional, compress=rules.compresses) > limit:
        additional = additional[:-1]
    whole = len(answers)
    while answers and _size(question, answers, additional, compress=rules.compresses) > limit:
        answers = answers[:-1]
    return answers, additional, len(answers) < whole


def _udp_size(question: Question) -> int:
    return min(max(question.size, _PLAIN_UDP), _MOST_UDP)


def _bound(question: Question, answers: list[Record], additional: list[Record]) -> int:
    """No message of these is longer, compressed or not: what is far below a limit is not tried."""
    asked = len(question.name)
    size = _HEADER_BYTES + asked + 4
    for section in (answers, additional):
        for owner, _, _, data in section:
            size += 10 + (asked if owner is None else _name_bound(owner))
            if isinstance(data, Service):
                size += 6 + _name_bound(data.target)
            else:
                size += len(data) if isinstance(data, bytes) else _name_bound(str(data))
    return size


def _name_bound(name: str) -> int:
    return 2 + (len(name) if name.isascii() else 4 * len(name))


def _size(
    question: Question, answers: list[Record], additional: list[Record], *, compress: bool
) -> int:
    """The message's size before EDNS is added; the id's two bytes count."""
    bare = question._replace(size=-1)
    return 2 + len(write(bare, Message(0, answers, [], additional), compress=compress))


def _shortened(
    question: Question,
    answers: list[Record],
    additional: list[Record],
    limit: int,
    least: int,
    *,
    compress: bool,
) -> list[Record]:
    """As many answers as fit with what belongs to them: a guess, then one by one."""

    def size(count: int) -> int:
        some = answers[:count]
        return _size(question, some, _with(some, additional), compress=compress)

    base, sample = size(0), min(len(answers), limit // _LEAST_RECORD + 1)
    each = (size(sample) - base) / sample
    count = max(least, min(sample, int((limit - base) / each)))
    while count > least and size(count) > limit:
        count -= 1
    while count < len(answers) and size(count + 1) <= limit:
        count += 1
    return answers[:count]


def _with(answers: list[Record], additional: list[Record]) -> list[Record]:
    """One record for each target of the answers, and for what an alias there leads to."""
    if not additional:
        return []
    by_name: dict[str, Record] = {}
    for record in additional:
        by_name.setdefault((record.owner or "").lower(), record)
    kept: dict[str, Record] = {}
    for answer in answers:
        target = answer.data.target.lower() if isinstance(answer.data, Service) else ""
        while target and target not in kept and target in by_name:
            found = kept[target] = by_name[target]
            target = str(found.data).lower() if found.type == CNAME else ""
    return list(kept.values())

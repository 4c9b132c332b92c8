"""Resource records, as `answers.py` makes them and `wire.py` writes them.

Names are text without their last dot; an owner of None is the name that was
asked for, in the spelling of the question.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import NamedTuple, TypeAlias

import dns.rdatatype as types

__all__ = [
    "AAAA",
    "ANY",
    "AXFR",
    "CNAME",
    "NS",
    "PTR",
    "SOA",
    "SRV",
    "TXT",
    "A",
    "Data",
    "Record",
    "Service",
    "Start",
    "fits",
    "packed",
]

A = int(types.A)
NS = int(types.NS)
CNAME = int(types.CNAME)
SOA = int(types.SOA)
PTR = int(types.PTR)
TXT = int(types.TXT)
AAAA = int(types.AAAA)
SRV = int(types.SRV)
AXFR = int(types.AXFR)
ANY = int(types.ANY)

_LABEL = 63
_NAME = 253


class Service(NamedTuple):
    """The data of an SRV record."""

    weight: int
    port: int
    target: str


class Start(NamedTuple):
    """The data of an SOA record."""

    server: str
    mailbox: str
    numbers: tuple[int, int, int, int, int]


Data: TypeAlias = bytes | str | Service | Start
"""An address or raw data, a name, or the two above; text of TXT is bytes already."""


class Record(NamedTuple):
    owner: str | None
    type: int
    ttl: int
    data: Data


@functools.lru_cache(maxsize=16384)
def packed(address: str) -> bytes | None:
    """The bytes of an IP address; None of a host's name. IPv4 within IPv6 is IPv4.

    >>> packed("10.0.0.1"), packed("www.example.org"), packed("::ffff:10.0.0.1")
    (b'\\n\\x00\\x00\\x01', None, b'\\n\\x00\\x00\\x01')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id:
            return None
        return found.ipv4_mapped.packed if found.ipv4_mapped else found.packed
    return found.packed


@functools.lru_cache(maxsize=16384)
def fits(name: str) -> bool:
    """Whether DNS can carry a name: no empty label, none over 63 bytes, 253 in all.

    >>> fits("n1.node.dc1.consul"), fits("a..b"), fits("x" * 64)
    (True, False, False)
    """
    try:
        labels = [label.encode() for label in name.split(".")]
    except UnicodeEncodeError:
        return False
    return all(0 < len(label) <= _LABEL for label in labels) and (
        sum(map(len, labels)) + len(labels) - 1 <= _NAME
    )

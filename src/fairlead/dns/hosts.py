"""Where an instance or a node is: which of its addresses answers which question.

Source: `TranslateAddress` and `nodeServiceRecords` of Consul 1.8; RFC 1464 for
the text of metadata.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from msgspec import UNSET

from fairlead.core.health import CRITICAL, MAINTENANCE, WARNING, Instance, aggregated
from fairlead.core.rows import NodeRow
from fairlead.dns.records import AAAA, ANY, CNAME, NS, SRV, TXT, A, Record, packed

__all__ = [
    "HOST_TYPES",
    "IP_TYPES",
    "Host",
    "address_record",
    "host_of",
    "is_host_name",
    "meta",
    "node_address",
    "type_of",
    "weight",
]

IP_TYPES = frozenset({A, AAAA, ANY, TXT})
"""The questions a node has answers to."""
HOST_TYPES = frozenset({A, AAAA, CNAME})
_ANY_FAMILY = frozenset({SRV, ANY, NS, TXT})
_V4 = "lan_ipv4"
_V6 = "lan_ipv6"
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+")
_PLAIN = "rfc1035-"
_TEXT = 255


class Host(NamedTuple):
    """An IP address, or a name; `is_node` when it is the node's own address, `own` as written."""

    address: bytes | None
    name: str
    is_node: bool
    own: str


def host_of(instance: Instance, type_: int, asked: str) -> Host:
    """Where an instance is, for a question of this type about the name `asked`."""
    node, service = instance.node, instance.service
    tagged = service.tagged_addresses
    if tagged is UNSET or not tagged:
        own = service.address
    else:
        addresses = {name: address.address for name, address in tagged.items()}
        own = _of_family(service.address, addresses, type_)
    on_node = node_address(node, type_)
    raw = packed(on_node)
    # An alias for the very name that is asked for would lead in a circle.
    if not own or (raw is not None and packed(own) is None and own.rstrip(".") == asked):
        return Host(raw, on_node.rstrip(".") if raw is None else "", on_node == node.address, own)
    raw = packed(own)
    return Host(raw, own.rstrip(".") if raw is None else "", False, own)


def node_address(node: NodeRow, type_: int) -> str:
    """The address of a node for a question of this type."""
    if not node.tagged_addresses:
        return node.address
    return _of_family(node.address, node.tagged_addresses, type_)


def _of_family(address: str, tagged: Mapping[str, str], type_: int) -> str:
    """As Consul has it: IPv6 is preferred wherever both would do."""
    if type_ != A and tagged.get(_V6):
        return tagged[_V6]
    if type_ != AAAA and tagged.get(_V4):
        return tagged[_V4]
    return address


def type_of(address: bytes) -> int:
    return A if len(address) == 4 else AAAA


def address_record(owner: str | None, address: bytes, type_: int, ttl: int) -> Record | None:
    """The record of an address, if it answers a question of this type."""
    own = type_of(address)
    return Record(owner, own, ttl, address) if type_ == own or type_ in _ANY_FAMILY else None


def weight(instance: Instance) -> int:
    """By its health; of checks that are another service's nothing is known here."""
    weights = instance.service.weights
    status = aggregated(instance.checks)
    if status in (CRITICAL, MAINTENANCE):
        return 0
    return weights.warning if status == WARNING else weights.passing


def is_host_name(node: str) -> bool:
    """Whether a node's name is one a name server may have."""
    return _HOST_NAME.fullmatch(node) is not None


def meta(node: NodeRow, owner: str | None, ttl: int) -> list[Record]:
    """A node's metadata as TXT records."""
    return [Record(owner, TXT, ttl, _text(key, value)) for key, value in (node.meta or {}).items()]


def _text(key: str, value: str) -> bytes:
    text = value if key.lower().startswith(_PLAIN) else _pair(key, value)
    raw = text.encode()
    parts = [raw[at : at + _TEXT] for at in range(0, len(raw), _TEXT)] or [b""]
    return b"".join(bytes((len(part),)) + part for part in parts)


def _pair(key: str, value: str) -> str:
    """RFC 1464: backquotes, equal signs and outer blanks of a key are quoted.

    >>> _pair(" a=b", "c`d")
    '` a`=b=c``d'
    """
    key = key.replace("`", "``").replace("=", "`=")
    inner = key.strip(" ")
    if inner:
        before, after = len(key) - len(key.lstrip(" ")), len(key) - len(key.rstrip(" "))
        key = "` " * before + inner + "` " * after
    return f"{key}={value.replace('`', '``')}"

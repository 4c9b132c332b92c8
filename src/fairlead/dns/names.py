"""What a name asks for: a node, a service, an address, a prepared query, a way back.

Names are text in lower case without their last dot. Characters a host name
cannot have arrive escaped, as `wire.py` does it, so that they match nothing.
Source: `agent/dns.go` of Consul 1.8, `doDispatch`.

Rule: nothing here looks at the catalog.
"""

from __future__ import annotations

import enum
import ipaddress
from typing import NamedTuple

__all__ = ["Kind", "Lookup", "Zones", "address_of_reverse", "is_inside", "understand"]

_KINDS = frozenset({"service", "connect", "ingress", "node", "query", "addr"})
_V4_DIGITS = 4
_V6_DIGITS = 16
_REVERSE_V4 = ".in-addr.arpa"
_REVERSE_V6 = ".ip6.arpa"
_NIBBLES = 32


class Kind(enum.Enum):
    """What is looked for."""

    NODE = "node"
    SERVICE = "service"
    CONNECT = "connect"
    INGRESS = "ingress"
    QUERY = "query"
    ADDRESS = "addr"
    NOTHING = "nothing"  # inside the zone, but no name that could be there
    REVERSE = "reverse"
    OUTSIDE = "outside"  # somebody else's name


class Lookup(NamedTuple):
    """`datacenter` is empty when the name says none. An `ADDRESS` is its digits."""

    kind: Kind
    name: str = ""
    tag: str = ""
    datacenter: str = ""


class Zones(NamedTuple):
    """The domains served, in lower case without dots at their ends; `other` may be empty."""

    domain: str
    other: str = ""

    def prefix(self, name: str) -> str | None:
        """What stands before the domain (before the longer one that fits); None outside.

        >>> Zones("consul", "alt.example").prefix("web.service.alt.example")
        'web.service'
        >>> Zones("consul").prefix("consul"), Zones("consul").prefix("xconsul")
        ('', None)
        """
        for domain in sorted((self.domain, self.other), key=len, reverse=True):
            if domain and name == domain:
                return ""
            if domain and name.endswith(domain) and name[-len(domain) - 1] == ".":
                return name[: -len(domain) - 1]
        return name if not self.domain else None


NOTHING = Lookup(Kind.NOTHING)


def is_inside(name: str, zones: Zones) -> bool:
    """Whether a name is below one of our domains."""
    return bool(zones.prefix(name))


def understand(name: str, zones: Zones, *, is_srv: bool) -> Lookup:
    """What a question asks for; SRV questions may leave the word `service` out.

    >>> understand("v2.web.service.dc1.consul", Zones("consul"), is_srv=False)
    Lookup(kind=<Kind.SERVICE: 'service'>, name='web', tag='v2', datacenter='dc1')
    >>> understand("_web._tcp.consul", Zones("consul"), is_srv=True).name
    'web'
    """
    if name == "arpa" or name.endswith(".arpa"):
        return Lookup(Kind.REVERSE, name)
    prefix = zones.prefix(name)
    if prefix is None:
        return Lookup(Kind.OUTSIDE)
    labels = prefix.split(".") if prefix else []
    for at in range(len(labels) - 1, -1, -1):
        if labels[at] in _KINDS:
            return _of_kind(Kind(labels[at]), labels[:at], labels[at + 1 :])
        if is_srv and labels[at].startswith("_"):
            return _of_kind(Kind.SERVICE, labels[: at + 1], labels[at + 1 :])
    return NOTHING


def _of_kind(kind: Kind, parts: list[str], suffixes: list[str]) -> Lookup:
    if kind is Kind.ADDRESS:
        return _address(parts)
    if not parts or len(suffixes) > 1:
        return NOTHING
    datacenter = suffixes[0] if suffixes else ""
    if kind in (Kind.NODE, Kind.QUERY):
        return Lookup(kind, ".".join(parts), "", datacenter)
    if kind is not Kind.SERVICE:
        return Lookup(kind, parts[-1], "", datacenter)
    if len(parts) == 2 and parts[0].startswith("_") and parts[1].startswith("_"):
        # RFC 2782; as nearly all is TCP, that word is no tag.
        tag = parts[1][1:]
        return Lookup(kind, parts[0][1:], "" if tag == "tcp" else tag, datacenter)
    return Lookup(kind, parts[-1], ".".join(parts[:-1]), datacenter)


def _address(parts: list[str]) -> Lookup:
    """Digits of no address at all are an address with nothing to say."""
    if len(parts) != 1:
        return NOTHING
    digits = parts[0]
    if len(digits) // 2 not in (_V4_DIGITS, _V6_DIGITS):
        return Lookup(Kind.ADDRESS)
    is_hex = len(digits) % 2 == 0 and all(digit in "0123456789abcdef" for digit in digits)
    return Lookup(Kind.ADDRESS, digits) if is_hex else NOTHING


def address_of_reverse(name: str) -> str | None:
    """The address a name under `arpa` stands for.

    >>> address_of_reverse("1.0.0.10.in-addr.arpa")
    '10.0.0.1'
    """
    try:
        if name.endswith(_REVERSE_V4):
            digits = name.removesuffix(_REVERSE_V4).split(".")
            return str(ipaddress.IPv4Address(".".join(reversed(digits))))
        if name.endswith(_REVERSE_V6):
            nibbles = name.removesuffix(_REVERSE_V6).split(".")
            if len(nibbles) != _NIBBLES or any(len(nibble) != 1 for nibble in nibbles):
                return None
            return str(ipaddress.IPv6Address(bytes.fromhex("".join(reversed(nibbles)))))
    except ValueError:
        return None
    return None

"""What servers tell each other before they have a store in common.

Rule: pure; whether two servers fit together is decided here, and only here.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from msgspec import Struct

__all__ = [
    "AGREED",
    "GATHERING",
    "JOINING",
    "PROMISED",
    "RUNNING",
    "Peer",
    "Plan",
    "View",
    "initial_cluster",
    "member_name",
    "mismatch",
]

GATHERING = "gathering"
"""It knows of no cluster yet."""
PROMISED = "promised"
"""It has promised to be in the plan of one who proposed it, and in no other."""
AGREED = "agreed"
"""All have promised: its etcd may run by this plan."""
JOINING = "joining"
"""A cluster that runs has taken it in, and it has not caught up yet."""
RUNNING = "running"
"""Its etcd runs."""


class Peer(Struct, frozen=True):
    """A server: its node, where its links listen (`host:port`), where its etcd talks to others."""

    id: str
    name: str
    address: str
    url: str


class Plan(Struct, frozen=True):
    """Who forms the cluster. `id` names the cluster, `proposer` is the id of the node whose plan
    it is; the members of a cluster that runs may be others than those who formed it.
    """

    id: str
    proposer: str
    members: list[Peer]


class View(Struct, frozen=True):
    """How a server sees things when it says so; `seq` rises from one to its next."""

    run: str
    """Of this process alone: who hears it from elsewhere talks to himself."""
    seq: int
    peer: Peer
    datacenter: str
    expect: int
    trust: str
    """Where the certificates of its etcd come from."""
    stage: str
    plan: Plan | None = None
    known: list[str] = []
    """The addresses of the servers it has heard of."""
    wants_in: bool = False
    """It asks one that runs to be taken in."""
    is_in: bool = False
    """The answer: it is, as a member that votes."""
    note: str = ""
    """The answer, for people: what it has to wait for."""


def mismatch(own: View, other: View) -> str:
    """Why these two can never be in one cluster; empty when they can."""
    who = f"{other.peer.name} ({other.peer.address})"
    if own.datacenter != other.datacenter:
        return f'datacenter is "{own.datacenter}" here and "{other.datacenter}" on {who}'
    if own.peer.id == other.peer.id:
        return f"the node id {own.peer.id} is this server's and that of {who}: remove one's node-id"
    if own.trust != other.trust:
        return (
            f"certificates between the servers: {own.trust} here, {other.trust} on {who}; "
            "give all the same encrypt, or all fitting cert_file, key_file and ca_file"
        )
    why = _unreachable(own.peer, other.peer)
    if why:
        return why
    if RUNNING in (own.stage, other.stage):
        # A cluster grows and shrinks; how many there were at first is of no matter.
        return ""
    if own.expect != other.expect:
        return f"bootstrap_expect is {own.expect} here and {other.expect} on {who}"
    if own.peer.name.lower() == other.peer.name.lower():
        return (
            f'the name "{own.peer.name}" is this server\'s ({own.peer.address}) and that of {who}'
        )
    return ""


_REMEDY = "give each its own address with -bind or -advertise"


def _unreachable(own: Peer, other: Peer) -> str:
    """Why they would not find each other's etcd where they say it is; empty when they may."""
    if own.url == other.url:
        return f"this server and {other.name} both say they are at {own.address}; {_REMEDY}"
    if _is_loopback(own) != _is_loopback(other):
        lonely = own if _is_loopback(own) else other
        return f"{lonely.name} says it is at {lonely.address}, out of others' reach; {_REMEDY}"
    return ""


def _is_loopback(peer: Peer) -> bool:
    try:
        return ipaddress.ip_address(urlsplit(peer.url).hostname or "").is_loopback
    except ValueError:
        return False


def member_name(node: str) -> str:
    """The name of a node's etcd member: the node's, legible where etcd's flags can hold it.

    >>> member_name("db-1.example"), member_name("a=b,c")
    ('db-1.example', 'a%3Db%2Cc')
    """
    return quote(node.lower(), safe="")


def initial_cluster(members: list[Peer]) -> str:
    """The flag of that name."""
    return ",".join(f"{member_name(peer.name)}={peer.url}" for peer in members)

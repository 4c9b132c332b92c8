"""How the servers are started: three of Fairlead, three of Consul, and stand-ins.

A kind of cluster is a function from (who I am, all addresses, data directory)
to a command; to add one write it, and a row in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults.lock_clients import TTL_S
from tests.processes import FAIRLEAD, consul_binary

__all__ = ["KINDS", "PORT", "Launcher"]

PORT = 8500
Launcher = Callable[[int, Sequence[str], Path], list[str]]
_TTL_MIN = f'-hcl=session_ttl_min = "{TTL_S:.0f}s"'


def _flags(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    own = addresses[number]
    return [
        "-server",
        f"-data-dir={data}",
        f"-bind={own}",
        f"-client={own}",
        f"-node=s{number + 1}",
        f"-http-port={PORT}",
        "-dns-port=-1",
        _TTL_MIN,
    ]


def fairlead(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    joins = [f"-retry-join={address}" for address in addresses]
    expect = f"-bootstrap-expect={len(addresses)}"
    return [*FAIRLEAD, "agent", *_flags(number, addresses, data), expect, *joins]


def consul(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    binary = consul_binary()
    if binary is None:
        raise SystemExit("consul cannot be had here: install it, or set FAIRLEAD_TEST_CONSUL")
    joins = [f"-retry-join={address}" for address in addresses]
    quick = ["-retry-interval=1s", "-hcl=performance { raft_multiplier = 1 }"]
    expect = f"-bootstrap-expect={len(addresses)}"
    return [binary, "agent", *_flags(number, addresses, data), expect, *joins, *quick]


def strangers(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    """Three servers that know nothing of each other: wrong, and the tool must say so."""
    return [*FAIRLEAD, "agent", *_flags(number, addresses, data), "-bootstrap-expect=1"]


def one(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    """A single server at whatever address there is; right, as long as it is alone."""
    return strangers(number, addresses, data)


KINDS: dict[str, tuple[Launcher, int]] = {
    "fairlead": (fairlead, 3),
    "consul": (consul, 3),
    "strangers": (strangers, 3),
    "one": (one, 1),
}
"""By the name on the command line: how a server is started, and how many there are."""

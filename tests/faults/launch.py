"""How the servers are started: three of Fairlead, three of Consul, and stand-ins.

A kind of cluster is a function from (who I am, all addresses, data directory)
to a command; to add one write it, and a row in `KINDS`.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.faults.lock_clients import TTL_S
from tests.processes import FAIRLEAD, consul_binary, peer

__all__ = ["KINDS", "PORT", "Cluster"]

PORT = 8500
Launcher = Callable[[int, Sequence[str], Path], list[str]]
_TTL_MIN = f'-hcl=session_ttl_min = "{TTL_S:.0f}s"'


class Cluster(NamedTuple):
    """How a server is started, how many there are, and whether they start an etcd each."""

    command: Launcher
    servers: int
    etcd: bool = False

    def search_path(self) -> str:
        """`PATH`, with an etcd on it where one is needed and can be had."""
        path = os.environ["PATH"]
        if not self.etcd or shutil.which("etcd"):
            return path
        etcd = peer("etcd")
        return f"{Path(etcd).parent}:{path}" if etcd else path


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


_BESIDE = """
mkdir -p {data}
(
  flock -n 9 || exit 0  # the one of an earlier start lives on
  while :; do
    etcd --name s{name} --data-dir {data}/etcd --log-level error \
      --listen-peer-urls {peer} --initial-advertise-peer-urls {peer} \
      --listen-client-urls {own} --advertise-client-urls {own} \
      --initial-cluster {members} --initial-cluster-token faults
    sleep 1
  done
) 9>{data}/etcd.lock &
exec {agent}
"""


def beside_etcd(number: int, addresses: Sequence[str], data: Path) -> list[str]:
    """Fairlead's servers with an etcd on each machine that is run by somebody else."""
    members = [f"s{n + 1}=http://{address}:2380" for n, address in enumerate(addresses)]
    # Its own member first: the others are for when that one does not answer.
    nearest = [addresses[number], *(one for one in addresses if one != addresses[number])]
    engine = ",".join(f"{address}:2379" for address in nearest)
    flags = _flags(number, addresses, data / "agent")
    agent = [*FAIRLEAD, "agent", *flags, f'-hcl=engine = "etcd:{engine}"']
    agent += [f"-retry-join={address}" for address in addresses]
    script = _BESIDE.format(
        name=number + 1,
        data=data,
        peer=f"http://{addresses[number]}:2380",
        own=f"http://{addresses[number]}:2379",
        members=",".join(members),
        agent=shlex.join(agent),
    )
    return ["bash", "-c", script]


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


KINDS: dict[str, Cluster] = {
    "fairlead": Cluster(fairlead, 3, etcd=True),
    "beside-etcd": Cluster(beside_etcd, 3, etcd=True),
    "consul": Cluster(consul, 3),
    "strangers": Cluster(strangers, 3),
    "one": Cluster(one, 1),
}
"""By the name on the command line."""

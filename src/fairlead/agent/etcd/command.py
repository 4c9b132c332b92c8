"""The command line of a server's etcd."""

from __future__ import annotations

import logging

from msgspec import Struct

from fairlead.agent.etcd.binary import Binary
from fairlead.agent.etcd.certificates import Certificates
from fairlead.agent.etcd.folder import SOCKET_URL, Folder
from fairlead.agent.etcd.peers import JOINING, Peer, Plan, initial_cluster, member_name

__all__ = ["Limits", "command", "host_port"]

_GIB = 1024**3
_MIB = 1024**2


class Limits(Struct, frozen=True):
    """What etcd takes. A request of more than 10 MiB it warns of; a database of 8 GiB as well."""

    quota_bytes: int = 8 * _GIB
    max_txn_ops: int = 8192
    max_request_bytes: int = 10 * _MIB


def host_port(host: str, port: int) -> str:
    """As they stand in a URL.

    >>> host_port("10.0.0.1", 8303), host_port("::1", 8303)
    ('10.0.0.1:8303', '[::1]:8303')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def command(
    binary: Binary,
    folder: Folder,
    listen: str,
    own: Peer,
    stage: str,
    plan: Plan,
    certificates: Certificates,
    limits: Limits,
) -> list[str]:
    """`listen` is the `host:port` for other members; once it has run, etcd ignores the plan."""
    is_verbose = logging.getLogger("etcd").isEnabledFor(logging.DEBUG)
    flags = {
        "name": member_name(own.name),
        "data-dir": str(folder.data),
        "listen-client-urls": SOCKET_URL,
        # Nobody else reaches it; the others are forwarded to by us.
        "advertise-client-urls": SOCKET_URL,
        "listen-peer-urls": f"{certificates.scheme}://{listen}",
        "initial-advertise-peer-urls": own.url,
        "initial-cluster": initial_cluster(plan.members),
        "initial-cluster-state": "existing" if stage == JOINING else "new",
        "initial-cluster-token": plan.id,
        "max-txn-ops": str(limits.max_txn_ops),
        "max-request-bytes": str(limits.max_request_bytes),
        "quota-backend-bytes": str(limits.quota_bytes),
        # `upkeep.py` compacts sooner, as long as there is a leader.
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "10m",
        # The entries that it keeps in memory are whole batches here.
        "snapshot-count": "10000",
        "pre-vote": "true",
        "logger": "zap",
        "log-outputs": "stderr",
        "log-level": "info" if is_verbose else "warn",
    }
    if certificates.ca_file:
        flags |= {
            "peer-cert-file": certificates.cert_file,
            "peer-key-file": certificates.key_file,
            "peer-trusted-ca-file": certificates.ca_file,
            "peer-client-cert-auth": "true",
            # A server with several addresses calls from any of them.
            f"{_experimental(binary)}peer-skip-client-san-verification": "true",
        }
    return [binary.path, *(f"--{name}={value}" for name, value in flags.items())]


def _experimental(binary: Binary) -> str:
    return "" if binary.version >= (3, 6, 0) else "experimental-"

"""The keys of the catalog's rows.

Names of nodes and services, and the ids of services and checks, are found
without regard to case, as in Consul. The parts of a key are joined by a tab.
"""

from __future__ import annotations

__all__ = ["check_key", "node_key", "node_prefix", "service_key"]


def node_key(node: str) -> str:
    """The key of a node's row, of its coordinate and of its member row."""
    return node.lower()


def node_prefix(node: str) -> str:
    """What the keys of a node's services and checks begin with."""
    return f"{node.lower()}\t"


def service_key(node: str, service_id: str) -> str:
    """The key of an instance's row; also the group of its checks."""
    return f"{node.lower()}\t{service_id.lower()}"


def check_key(node: str, check_id: str) -> str:
    """The key of a check's row."""
    return f"{node.lower()}\t{check_id.lower()}"

"""Who this agent says it is to others: its member row, with the tags Consul's clients read."""

from __future__ import annotations

from msgspec import Struct, structs

from fairlead.core.members import ALIVE
from fairlead.core.rows import MemberRow, NodeRow
from fairlead.settings.settings import Settings
from fairlead.version import API_VERSION

__all__ = [
    "Identity",
    "identity",
    "is_server",
    "own_member",
    "server_address",
    "server_port",
    "wan_identity",
    "wan_member",
    "wan_port",
]

_SERVER_PORT = 8300
_SERF_LAN_PORT = 8301
_SERF_WAN_PORT = 8302


class Identity(Struct, frozen=True):
    """Who links: its node, and the port and tags of its member row."""

    node: NodeRow
    port: int
    tags: dict[str, str]


def server_port(settings: Settings) -> int:
    """The port servers are named with; Consul's where none is listened on."""
    return settings.ports_server if settings.ports_server > 0 else _SERVER_PORT


def own_member(settings: Settings, node: NodeRow) -> MemberRow:
    """This agent as a member; it is alive, or would not say so."""
    port = settings.ports_serf_lan if settings.ports_serf_lan > 0 else _SERF_LAN_PORT
    tags = _tags(settings, node)
    if settings.server:
        tags["wan_join_port"] = str(wan_port(settings))
        if settings.advertise_addr_wan != node.address:
            tags["wan_addr"] = settings.advertise_addr_wan
    return MemberRow(node.node, node.address, port, tags, ALIVE)


def wan_member(settings: Settings, node: NodeRow) -> MemberRow:
    """A server as the pool of all servers names it."""
    name = f"{node.node}.{settings.datacenter}"
    address = settings.advertise_addr_wan
    return MemberRow(name, address, wan_port(settings), _tags(settings, node), ALIVE)


def wan_port(settings: Settings) -> int:
    """The port servers of other datacenters are named; Consul's where none is listened on."""
    return settings.ports_serf_wan if settings.ports_serf_wan > 0 else _SERF_WAN_PORT


def wan_identity(settings: Settings, node: NodeRow) -> Identity:
    """What a server's link to another datacenter says of it."""
    member = wan_member(settings, node)
    reached = structs.replace(node, address=member.addr)
    return Identity(reached, member.port, member.tags)


def identity(settings: Settings, node: NodeRow) -> Identity:
    """What a client's link says of it."""
    member = own_member(settings, node)
    return Identity(node, member.port, member.tags)


def is_server(member: MemberRow) -> bool:
    return member.tags.get("role") == "consul"


def server_address(member: MemberRow) -> str:
    """Where that server takes links, as `host:port`."""
    host = f"[{member.addr}]" if ":" in member.addr else member.addr
    return f"{host}:{member.tags.get('port', _SERVER_PORT)}"


def _tags(settings: Settings, node: NodeRow) -> dict[str, str]:
    common = {
        "acls": "0",
        "build": f"{API_VERSION}:fairlead",
        "dc": settings.datacenter,
        "id": node.id,
        "segment": "",
        "vsn": "2",
        "vsn_max": "3",
        "vsn_min": "2",
    }
    if not settings.server:
        return {**common, "role": "node"}
    expect = settings.bootstrap_expect
    return {
        **common,
        **({"expect": str(expect)} if expect > 1 else {"bootstrap": "1"}),
        "ft_fs": "1",
        "port": str(server_port(settings)),
        "raft_vsn": "3",
        "role": "consul",
    }

"""This agent's own node: its identity, and its row in the catalog, kept there."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from msgspec import structs

from fairlead.agent.registry import Registry
from fairlead.core.commands import CatalogRegister
from fairlead.core.keys import check_key, service_key
from fairlead.core.reads import Watch
from fairlead.core.rows import CheckRow, NodeRow, Service
from fairlead.errors import SettingsError
from fairlead.settings.settings import Settings
from fairlead.store import Store
from fairlead.version import API_VERSION

__all__ = ["keep_registered", "own_node", "servers_service"]

_ID_FILE = "node-id"
_SERF_HEALTH = "serfHealth"


def own_node(settings: Settings, new_id: str) -> NodeRow:
    """The node row of this agent; its id is kept in the data directory.

    Raises:
        SettingsError: the id cannot be kept, or is none.
    """
    address = settings.advertise_addr
    wan = settings.advertise_addr_wan
    return NodeRow(
        id=_node_id(settings, new_id),
        node=settings.node_name,
        address=address,
        datacenter=settings.datacenter,
        tagged_addresses={
            "lan": address,
            f"lan_{_family(address)}": address,
            "wan": wan,
            f"wan_{_family(wan)}": wan,
        },
        meta={"consul-network-segment": "", **settings.node_meta},
    )


def _family(address: str) -> str:
    return "ipv6" if ":" in address else "ipv4"


def _node_id(settings: Settings, new_id: str) -> str:
    if settings.node_id:
        return _checked(settings.node_id, "node_id")
    if not settings.data_dir:
        return new_id
    path = Path(settings.data_dir) / _ID_FILE
    try:
        if path.exists():
            return _checked(path.read_text().strip(), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(new_id)
        os.replace(draft, path)
    except OSError as error:
        raise SettingsError(f"cannot keep the node's id in {path}: {error.strerror}") from error
    return new_id


def _checked(text: str, source: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise SettingsError(f'{source}: "{text}" is not a UUID') from error


def servers_service(server_address: str) -> Service:
    """The service `consul`, an instance of which every server is."""
    return Service(
        id="consul",
        service="consul",
        tags=[],
        port=int(server_address.rpartition(":")[2]),
        meta={
            "non_voter": "false",
            "raft_version": "3",
            "serf_protocol_current": "2",
            "serf_protocol_max": "5",
            "serf_protocol_min": "1",
            "version": API_VERSION,
        },
    )


async def keep_registered(
    store: Store, registry: Registry, node: NodeRow, server_address: str
) -> None:
    """Put the node, its health and `consul` into the catalog, and again should they vanish."""
    key = node.node.lower()
    health = check_key(node.node, _SERF_HEALTH)
    service = servers_service(server_address)
    own = service_key(node.node, service.id)
    watches = (
        Watch("nodes", key, False),
        Watch("checks", health, False),
        Watch("services", own, False),
    )
    check = CheckRow(
        node=node.node,
        check_id=_SERF_HEALTH,
        name="Serf Health Status",
        status="passing",
        output="Agent alive and reachable",
    )
    held = store.state.nodes.rows.get(key)
    if held is not None and held.id.lower() != node.id.lower():
        # A state that was made elsewhere, where another server had this name. Without an id it is
        # free to be ours, and keeps its sessions.
        await registry.submit(CatalogRegister(structs.replace(held, id="")))
        await registry.submit(CatalogRegister(node, [check], service))
    while True:
        changed = store.changed(watches)
        state = store.state
        there = own in state.services.rows and health in state.checks.rows
        if key not in state.nodes.rows or not there:
            await registry.submit(CatalogRegister(node, [check], service))
        await changed

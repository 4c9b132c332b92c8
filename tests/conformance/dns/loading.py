"""Filling our side: the commands that bodies of `/v1/catalog/register` stand for.

To be replaced by the same HTTP requests as Consul's once the endpoint is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import UNSET

from fairlead.core.commands import CatalogRegister
from fairlead.core.rows import Address, CheckRow, NodeRow, Service, Weights
from fairlead.engines import open_engine
from fairlead.store import Store
from tests.conformance.dns.catalog import Body

__all__ = ["command_of", "fill"]


def command_of(body: Body) -> CatalogRegister:
    """The command of one registration."""
    node = NodeRow(
        id=body.get("ID", ""),
        node=body["Node"],
        address=body["Address"],
        datacenter="dc1",
        tagged_addresses=body.get("TaggedAddresses"),
        meta=body.get("NodeMeta"),
    )
    checks = [
        CheckRow(
            node=body["Node"],
            check_id=check["CheckID"],
            name=check["Name"],
            status=check["Status"],
            service_id=check["ServiceID"],
        )
        for check in body.get("Checks", ())
    ]
    service = _service(body["Service"]) if "Service" in body else None
    return CatalogRegister(node, checks, service, bool(body.get("SkipNodeUpdate")))


def _service(body: dict[str, Any]) -> Service:
    tagged = body.get("TaggedAddresses")
    weights = body.get("Weights")
    proxy = body.get("Proxy")
    return Service(
        id=body["ID"],
        service=body["Service"],
        tags=body.get("Tags"),
        address=body.get("Address", ""),
        tagged_addresses={
            name: Address(address["Address"], address["Port"]) for name, address in tagged.items()
        }
        if tagged
        else UNSET,
        port=body["Port"],
        weights=Weights(weights["Passing"], weights["Warning"]) if weights else Weights(),
        kind=body.get("Kind", UNSET),
        proxy=proxy or {},
        connect=body.get("Connect", {}),
    )


async def fill(data_dir: Path, bodies: list[Body]) -> None:
    """Put registrations into the data directory of an agent that is not running."""
    store = Store(open_engine(f"sqlite:{data_dir / 'fairlead.db'}"))
    await store.open()
    for body in bodies:
        await store.submit(command_of(body))
    await store.close()

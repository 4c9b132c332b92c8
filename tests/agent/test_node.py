"""`fairlead.agent.node`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fairlead.agent.node import keep_registered, own_node
from fairlead.agent.registry import StoreRegistry
from fairlead.core.keys import check_key
from fairlead.core.rows import NodeRow
from fairlead.engines import Contents
from fairlead.engines.memory import MemoryEngine
from fairlead.errors import SettingsError
from fairlead.settings.settings import build
from fairlead.store import Store

FRESH = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"


def test_the_id_is_kept_in_the_data_directory(tmp_path: Path) -> None:
    settings = build({"data_dir": str(tmp_path), "bind_addr": "10.0.0.1"})
    assert own_node(settings, FRESH).id == FRESH
    assert own_node(settings, OTHER).id == FRESH


def test_a_given_id_is_taken() -> None:
    settings = build({"engine": "memory:", "bind_addr": "10.0.0.1", "node_id": OTHER.upper()})
    assert own_node(settings, FRESH).id == OTHER


def test_an_id_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "node-id").write_text("nonsense")
    with pytest.raises(SettingsError, match='node-id: "nonsense" is not a UUID'):
        own_node(build({"data_dir": str(tmp_path), "bind_addr": "10.0.0.1"}), FRESH)


def test_addresses_are_tagged_by_family() -> None:
    four = own_node(build({"engine": "memory:", "bind_addr": "10.0.0.1"}), FRESH)
    assert four.tagged_addresses is not None
    assert set(four.tagged_addresses) == {"lan", "lan_ipv4", "wan", "wan_ipv4"}
    six = own_node(build({"engine": "memory:", "bind_addr": "::1"}), FRESH)
    assert six.tagged_addresses is not None
    assert set(six.tagged_addresses) == {"lan", "lan_ipv6", "wan", "wan_ipv6"}


def _keeper(store: Store, node: NodeRow) -> asyncio.Task[None]:
    keeping = keep_registered(store, StoreRegistry(store), node, "127.0.0.1:8300")
    return asyncio.create_task(keeping)


async def test_a_node_that_vanishes_is_registered_again() -> None:
    store = Store(MemoryEngine())
    await store.open()
    node = own_node(build({"engine": "memory:", "bind_addr": "10.0.0.1", "node_name": "N1"}), FRESH)
    keeper = asyncio.create_task(
        keep_registered(store, StoreRegistry(store), node, "127.0.0.1:8300")
    )
    async with asyncio.timeout(5):
        while "n1" not in store.state.nodes.rows:
            await asyncio.sleep(0)
        await store.restore(Contents(0, []))
        while check_key("n1", "serfHealth") not in store.state.checks.rows:
            await asyncio.sleep(0)
    keeper.cancel()
    await store.close()


async def test_registering_twice_changes_nothing() -> None:
    store = Store(MemoryEngine())
    await store.open()
    node = own_node(build({"engine": "memory:", "bind_addr": "10.0.0.1"}), FRESH)
    for _ in range(2):
        keeper = asyncio.create_task(
            keep_registered(store, StoreRegistry(store), node, "127.0.0.1:8300")
        )
        for _ in range(10):
            await asyncio.sleep(0)
        keeper.cancel()
    assert store.state.index == 1
    await store.close()


def test_the_address_for_other_datacenters_is_a_tag_of_its_own() -> None:
    raw = {"engine": "memory:", "bind_addr": "10.0.0.1", "advertise_addr_wan": "2001:db8::1"}
    assert own_node(build(raw), FRESH).tagged_addresses == {
        "lan": "10.0.0.1",
        "lan_ipv4": "10.0.0.1",
        "wan": "2001:db8::1",
        "wan_ipv6": "2001:db8::1",
    }

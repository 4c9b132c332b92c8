"""`fairlead.http.blocking`: reads that wait for what they were made from."""

from __future__ import annotations

import asyncio

import pytest

from fairlead.core.commands import KVDelete, KVDeleteTree, KVLock, KVSet, SessionDestroy
from fairlead.durations import SECOND_NS
from fairlead.http.blocking import wait_seconds
from tests.core.deciding import session
from tests.http.edge import Client, Edge, edge_of, request


async def park(edge: Edge, target: str, count: int = 1) -> Client:
    """Ask for `target` at its present index and see that it waits."""
    client = await edge.client()
    index = (await client.ask("GET", target)).index
    separator = "&" if "?" in target else "?"
    client.send(request("GET", f"{target}{separator}index={index}&wait=1m"))
    await edge.parked(count)
    return client


@pytest.mark.parametrize(
    "target", ["/v1/kv/a/b", "/v1/kv/a/?recurse", "/v1/kv/a/?keys", "/v1/kv/?recurse"]
)
async def test_a_write_wakes_readers_of_the_key_and_of_prefixes_above_it(
    edge: Edge, target: str
) -> None:
    await edge.set("a/b", b"old")
    client = await park(edge, target)
    await edge.set("a/b", b"new")
    reply = await client.receive()
    assert reply.status == 200
    assert reply.index == edge.agent.store.state.index


@pytest.mark.parametrize("target", ["/v1/kv/a/b", "/v1/kv/a/?recurse", "/v1/kv/missing"])
async def test_writes_elsewhere_wake_nobody(edge: Edge, target: str) -> None:
    await edge.set("a/b")
    await park(edge, target)
    await edge.set("b")
    await edge.set("ab")
    await edge.set("a")
    assert edge.blocking == 1


async def test_writing_the_same_value_wakes_nobody(edge: Edge) -> None:
    await edge.set("a")
    await park(edge, "/v1/kv/a")
    await edge.set("a")
    assert edge.blocking == 1


async def test_a_deletion_wakes_readers_of_the_key_and_of_its_prefix(edge: Edge) -> None:
    await edge.set("a/b")
    await edge.set("a/c")
    key, prefix = await park(edge, "/v1/kv/a/b"), await park(edge, "/v1/kv/a/?recurse", 2)
    await edge.agent.store.submit(KVDelete("a/b"))
    assert (await key.receive()).status == 404
    reply = await prefix.receive()
    assert reply.status == 200
    assert b"a/b" not in reply.body


async def test_a_deleted_tree_wakes_readers_above_and_below_it(edge: Edge) -> None:
    for key in ("a/b/c/d", "a/b/e", "f"):
        await edge.set(key)
    readers = [
        await park(edge, target, number)
        for number, target in enumerate(
            ["/v1/kv/a/b/c/d", "/v1/kv/a/?recurse", "/v1/kv/a/b/c/?keys", "/v1/kv/?recurse"], 1
        )
    ]
    await park(edge, "/v1/kv/f", 5)
    await edge.agent.store.submit(KVDeleteTree("a/b/"))
    for reader in readers:
        assert (await reader.receive()).index == edge.agent.store.state.index
    assert edge.blocking == 1


async def test_a_missing_key_is_waited_for_until_it_comes(edge: Edge) -> None:
    client = await park(edge, "/v1/kv/new")
    await edge.set("other")
    assert edge.blocking == 1
    await edge.set("new")
    assert (await client.receive()).status == 200


async def test_when_the_time_is_over_the_answer_is_what_it_was(edge: Edge) -> None:
    await edge.set("a")
    first = await edge.ask("GET", "/v1/kv/a")
    again = await edge.ask("GET", f"/v1/kv/a?index={first.index}&wait=20ms")
    assert (again.body, again.index) == (first.body, first.index)
    assert edge.blocking == 0


async def test_an_index_of_the_future_gets_the_present_one_in_the_end(edge: Edge) -> None:
    await edge.set("a")
    reply = await edge.ask("GET", "/v1/kv/a?index=999999&wait=20ms")
    assert reply.index == edge.agent.store.state.kv.index


async def test_locks_and_their_loss_wake_readers(edge: Edge) -> None:
    store = edge.agent.store
    await edge.set("a")
    await store.submit(session("s1"))
    client = await park(edge, "/v1/kv/a")
    await store.submit(KVLock("a", b"v", 0, "s1", 0))
    assert b'"Session":"s1"' in (await client.receive()).body
    client = await park(edge, "/v1/kv/a")
    await store.submit(SessionDestroy("s1", 0))
    assert b"Session" not in (await client.receive()).body


async def test_sessions_that_come_and_go_wake_readers_of_the_list(edge: Edge) -> None:
    client = await park(edge, "/v1/session/list")
    await edge.agent.store.submit(session("s1"))
    assert b'"ID":"s1"' in (await client.receive()).body
    client = await park(edge, "/v1/session/list")
    await edge.agent.store.submit(SessionDestroy("s1", 0))
    assert (await client.receive()).body == b"[]"


async def test_two_writes_at_once_wake_a_reader_once(edge: Edge) -> None:
    await edge.set("a/1")
    client = await park(edge, "/v1/kv/a/?recurse")
    store = edge.agent.store
    await asyncio.gather(store.submit(KVSet("a/1", b"x")), store.submit(KVSet("a/2", b"x")))
    reply = await client.receive()
    assert reply.index == store.state.index
    assert (await client.ask("GET", "/v1/kv/a/1?raw")).body == b"x"


async def test_readers_of_different_kinds_each_get_their_own_answer(edge: Edge) -> None:
    await edge.set("a", b"old")
    index = edge.agent.store.state.kv.index
    targets = [f"/v1/kv/a?{form}index={index}" for form in ("", "raw&", "pretty&")]
    clients = [await edge.client() for _ in targets]
    for client, target in zip(clients, targets, strict=True):
        client.send(request("GET", target))
    packed, closing = await edge.client(), await edge.client()
    packed.send(request("GET", targets[0], Accept_Encoding="gzip"))
    closing.send(request("GET", targets[0], Connection="close"))
    await edge.parked(5)
    await edge.set("a", b"new")
    plain, raw, pretty = [await client.receive() for client in clients]
    assert raw.body == b"new"
    assert b'"Value":"bmV3"' in plain.body
    assert b'    "Value": "bmV3"' not in plain.body
    assert b'"Value": "bmV3"' in pretty.body
    assert (await packed.receive()).body == plain.body
    assert (await closing.receive()).headers["Connection"] == "close"


async def test_a_restore_wakes_every_reader(edge: Edge) -> None:
    await edge.set("a")
    snapshot = (await edge.ask("GET", "/v1/snapshot")).body
    client = await park(edge, "/v1/kv/a")
    before = edge.agent.store.state.index
    assert (await edge.ask("PUT", "/v1/snapshot", snapshot)).status == 200
    assert (await client.receive()).index > before


async def test_a_thousand_readers_of_one_key_are_all_woken() -> None:
    async with edge_of(limits={"http_max_conns_per_client": 2000}) as edge:
        await edge.set("a")
        index = edge.agent.store.state.kv.index
        clients = [await edge.client() for _ in range(1000)]
        for client in clients:
            client.send(request("GET", f"/v1/kv/a?index={index}"))
        await edge.parked(1000)
        await edge.set("a", b"new")
        replies = await asyncio.gather(*(client.receive() for client in clients))
        assert {reply.body for reply in replies} == {replies[0].body}
        assert edge.blocking == 0


async def test_waiting_has_bounds_and_a_default() -> None:
    async with edge_of(default_query_time=5 * SECOND_NS, max_query_time=9 * SECOND_NS) as edge:
        assert wait_seconds(edge.agent, 0) == 5
        assert wait_seconds(edge.agent, 7 * SECOND_NS) == 7
        assert wait_seconds(edge.agent, 3600 * SECOND_NS) == 9


async def test_up_to_a_sixteenth_is_added(edge: Edge) -> None:
    class Late(type(edge.clock)):  # type: ignore[misc]
        def jitter(self, limit: float) -> float:
            return limit

    edge.agent.clock = Late()
    assert wait_seconds(edge.agent, 16 * SECOND_NS) == 17

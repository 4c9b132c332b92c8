"""`fairlead.http.kv`: lists that are kept are never old."""

from __future__ import annotations

import json

from fairlead.core.commands import KVDelete
from fairlead.engines import Contents
from tests.http.edge import Client, Edge

TARGET = "/v1/kv/a/?recurse"


async def keys(client: Client) -> list[str]:
    reply = await client.ask("GET", TARGET)
    return [row["Key"] for row in json.loads(reply.body)] if reply.status == 200 else []


async def test_a_list_that_was_asked_for_before_shows_every_change(edge: Edge) -> None:
    client = await edge.client()
    await edge.set("a/1", b"x")
    assert await keys(client) == await keys(client) == ["a/1"]
    await edge.set("a/2", b"y")
    assert await keys(client) == ["a/1", "a/2"]
    await edge.agent.store.submit(KVDelete("a/1"))
    assert await keys(client) == ["a/2"]
    await edge.agent.store.submit(KVDelete("a/2"))
    assert await keys(client) == []


async def test_a_restore_is_shown_at_once(edge: Edge) -> None:
    client = await edge.client()
    await edge.set("a/1", b"x")
    assert await keys(client) == await keys(client) == ["a/1"]
    await edge.agent.store.restore(Contents(0, []))
    assert await keys(client) == []


async def test_an_answer_kept_has_the_index_and_the_shape_of_the_first(edge: Edge) -> None:
    client = await edge.client()
    await edge.set("a/1", b"x")
    first, again = await client.ask("GET", TARGET), await client.ask("GET", TARGET)
    assert (first.body, first.index, first.headers) == (again.body, again.index, again.headers)
    pretty = await client.ask("GET", TARGET + "&pretty")
    assert json.loads(pretty.body) == json.loads(first.body)
    assert pretty.body != first.body

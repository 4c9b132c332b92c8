"""`fairlead.http.catalog`, `health`: answers that are kept, and who is woken."""

from __future__ import annotations

import json

from fairlead.http.catalog_reads import memo_of
from tests.http.edge import Edge, request


async def put(edge: Edge, node: str, service: str, status: str = "passing") -> None:
    body = {
        "Node": node,
        "Address": "10.0.0.1",
        "Service": {"Service": service},
        "Check": {"CheckID": f"{service}-check", "ServiceID": service, "Status": status},
    }
    reply = await edge.ask("PUT", "/v1/catalog/register", json.dumps(body).encode())
    assert (reply.status, reply.body) == (200, b"true")


async def test_an_answer_that_is_kept_is_given_up_with_the_next_change(edge: Edge) -> None:
    target = "/v1/health/service/web?passing"
    await put(edge, "a", "web")
    first = await edge.ask("GET", target)
    found = memo_of(edge.agent).find(edge.agent.store.state, target.encode())
    assert found is not None
    assert found.read.value == first.body
    await put(edge, "a", "other")
    assert memo_of(edge.agent).find(edge.agent.store.state, target.encode()) is not None
    await put(edge, "a", "web", "critical")
    assert memo_of(edge.agent).find(edge.agent.store.state, target.encode()) is None
    assert (await edge.ask("GET", target)).body == b"[]"


async def test_an_answer_that_is_kept_does_not_outlive_a_restore(edge: Edge) -> None:
    target = "/v1/catalog/service/web"
    contents = edge.agent.store.contents()
    await put(edge, "a", "web")
    assert len(json.loads((await edge.ask("GET", target)).body)) == 1
    await edge.agent.restore(contents)
    assert (await edge.ask("GET", target)).body == b"[]"


async def test_readers_of_one_service_sleep_while_others_change(edge: Edge) -> None:
    await put(edge, "a", "web")
    await put(edge, "b", "other")
    client = await edge.client()
    index = (await client.ask("GET", "/v1/health/service/web")).index
    client.send(request("GET", f"/v1/health/service/web?index={index}&wait=1m"))
    await edge.until(lambda: edge.agent.store.watches.readers > 0)
    waiting = edge.agent.store.watches.readers
    await put(edge, "b", "other", "critical")
    assert edge.agent.store.watches.readers == waiting
    await put(edge, "a", "web", "critical")
    reply = await client.receive()
    assert json.loads(reply.body)[0]["Checks"][0]["Status"] == "critical"

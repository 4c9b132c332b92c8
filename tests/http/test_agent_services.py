"""`/v1/agent/service`, `/v1/agent/check` and `/v1/agent/health` over HTTP."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.http.edge import Edge, request


async def register(edge: Edge, **fields: Any) -> None:
    body = json.dumps({"Name": "web", **fields}).encode()
    assert (await edge.ask("PUT", "/v1/agent/service/register", body)).status == 200


async def test_a_registration_is_in_the_catalog_when_it_is_answered(edge: Edge) -> None:
    await register(edge, Port=80, Check={"TTL": "10s", "Status": "passing"})
    state = edge.agent.store.state
    assert state.services.rows["n1\tweb"].service.port == 80
    assert state.checks.rows["n1\tservice:web"].status == "passing"
    await edge.ask("PUT", "/v1/agent/check/fail/service:web")
    assert edge.agent.store.state.checks.rows["n1\tservice:web"].status == "critical"
    await edge.ask("PUT", "/v1/agent/service/deregister/web")
    assert "n1\tweb" not in edge.agent.store.state.services.rows


async def test_the_hash_of_a_service_changes_with_it_and_with_nothing_else(edge: Edge) -> None:
    async def known() -> str:
        reply = await edge.ask("GET", "/v1/agent/service/web")
        assert json.loads(reply.body)["ContentHash"] == reply.headers["X-Consul-Contenthash"]
        return reply.headers["X-Consul-Contenthash"]

    await register(edge, Port=80)
    first = await known()
    await register(edge, Port=80, Check={"TTL": "10s"})
    assert await known() == first
    await register(edge, Port=81)
    assert await known() != first
    await register(edge, Port=80)
    assert await known() == first


async def test_who_knows_the_hash_waits_for_the_next(edge: Edge) -> None:
    await register(edge, Port=80)
    known = (await edge.ask("GET", "/v1/agent/service/web")).headers["X-Consul-Contenthash"]
    client = await edge.client()
    client.send(request("GET", f"/v1/agent/service/web?hash={known}&wait=10m"))
    local = edge.agent.registrations.local
    await edge.until(lambda: local._waiting)
    await register(edge, Port=80)
    assert local._waiting
    await register(edge, Port=81)
    reply = await client.receive()
    assert json.loads(reply.body)["Port"] == 81
    known = reply.headers["X-Consul-Contenthash"]
    client.send(request("GET", f"/v1/agent/service/web?hash={known}&wait=10m"))
    await edge.until(lambda: local._waiting)
    await edge.ask("PUT", "/v1/agent/service/deregister/web")
    assert (await client.receive()).status == 404


async def test_a_client_that_goes_away_frees_what_it_waited_with(edge: Edge) -> None:
    await register(edge)
    known = (await edge.ask("GET", "/v1/agent/service/web")).headers["X-Consul-Contenthash"]
    client = await edge.client()
    client.send(request("GET", f"/v1/agent/service/web?hash={known}&wait=10m"))
    local = edge.agent.registrations.local
    await edge.until(lambda: local._waiting)
    client.close()
    await edge.until(lambda: not local._waiting)


async def test_a_wait_that_is_none_is_refused(edge: Edge) -> None:
    await register(edge)
    known = (await edge.ask("GET", "/v1/agent/service/web")).headers["X-Consul-Contenthash"]
    reply = await edge.ask("GET", f"/v1/agent/service/web?hash={known}&wait=soon")
    assert (reply.status, reply.text) == (400, "Invalid wait time")


async def test_many_registrations_at_once_are_all_there(edge: Edge) -> None:
    async def one(number: int) -> None:
        checks = [{"TTL": "10m"}, {"TTL": "10m"}]
        await register(edge, ID=f"web-{number}", Port=number, Checks=checks)

    before = edge.agent.store.state.index
    await asyncio.gather(*(one(number) for number in range(100)))
    state = edge.agent.store.state
    assert len(state.services.groups["web"]) == 100
    assert state.index - before <= 100


async def test_the_server_is_a_service_itself(edge: Edge) -> None:
    (row,) = edge.agent.store.state.services.rows.values()
    assert (row.service.id, row.service.port) == ("consul", 8300)
    assert json.loads((await edge.ask("GET", "/v1/agent/services")).body) == {}


@pytest.mark.parametrize("text", ["text/plain", "application/json"])
async def test_health_is_told_as_it_is_asked_for(edge: Edge, text: str) -> None:
    await register(edge)
    reply = await edge.ask("GET", "/v1/agent/health/service/name/web", Accept=text)
    assert reply.headers["Content-Type"] == text
    assert reply.headers["X-Consul-Reason"] == "passing"

"""`fairlead.http.app`: routes, access, headers, faults of our own."""

from __future__ import annotations

import dataclasses
import logging

import pytest

from fairlead.agent.agent import Agent
from fairlead.http.api import Route
from fairlead.http.messages import Request, Response
from fairlead.http.routes import ROUTES
from tests.http.edge import Edge, edge_of


def test_the_table_is_sorted_and_has_no_path_twice() -> None:
    paths = [route.path for route in ROUTES]
    assert paths == sorted(set(paths))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_every_route_lists_its_methods(edge: Edge, route: Route) -> None:
    path = f"{route.path}x" if route.is_folder else route.path
    reply = await edge.ask("OPTIONS", path)
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["Allow"] == ",".join(["OPTIONS", *route.handlers])
    reply = await edge.ask("PATCH", path)
    assert (reply.status, reply.text) == (405, "method PATCH not allowed")


async def test_every_answer_tells_caches_that_it_may_be_compressed(edge: Edge) -> None:
    for target in ("/v1/kv/none", "/v1/status/leader", "/v1/kv/"):
        assert (await edge.ask("GET", target)).headers["Vary"] == "Accept-Encoding"


async def test_every_answer_has_a_date(edge: Edge) -> None:
    date = (await edge.ask("GET", "/v1/kv/none")).headers["Date"]
    assert date.endswith(" GMT")


async def test_a_path_that_is_not_utf_8_is_refused(edge: Edge) -> None:
    for target in ("/v1/kv/a%FF", "/v1/kv/%C3", "/v1/kv/%ED%A0%80"):
        reply = await edge.ask("PUT", target, b"v")
        assert (reply.status, reply.text) == (400, "the path is not valid UTF-8")


async def test_unprintable_characters_are_let_through_when_the_filter_is_off() -> None:
    async with edge_of(disable_http_unprintable_char_filter=True) as edge:
        assert (await edge.ask("PUT", "/v1/kv/a%0Ab", b"v")).text == "true"
        assert (await edge.ask("PUT", "/v1/kv/a%00b", b"v")).status == 400


async def test_blocked_endpoints_are_403() -> None:
    async with edge_of(http_config={"block_endpoints": ["/v1/session", "/v1/kv/private"]}) as edge:
        reply = await edge.ask("GET", "/v1/session/list")
        assert (reply.status, reply.text) == (403, "Endpoint is blocked by agent configuration")
        assert (await edge.ask("GET", "/v1/kv/private/a")).status == 403
        assert (await edge.ask("GET", "/v1/kv/public")).status == 404


async def test_writes_may_be_kept_to_some_networks() -> None:
    async with edge_of(http_config={"allow_write_http_from": ["10.0.0.0/8"]}) as edge:
        reply = await edge.ask("PUT", "/v1/kv/a", b"v")
        assert (reply.status, reply.text) == (403, "Access is restricted")
        assert (await edge.ask("DELETE", "/v1/kv/a")).status == 403
        assert (await edge.ask("GET", "/v1/kv/a")).status == 404
    async with edge_of(http_config={"allow_write_http_from": ["127.0.0.0/8"]}) as edge:
        assert (await edge.ask("PUT", "/v1/kv/a", b"v")).status == 200


async def test_configured_headers_are_on_every_answer() -> None:
    headers = {"Access-Control-Allow-Origin": "*", "X-Frame-Options": "DENY"}
    async with edge_of(http_config={"response_headers": headers}) as edge:
        for target in ("/v1/kv/none", "/v1/bogus", "/v1/status/leader"):
            reply = await edge.ask("GET", target)
            assert {name: reply.headers[name] for name in headers} == headers


async def test_a_reload_takes_effect_for_requests_seen_before(edge: Edge) -> None:
    await edge.set("a")
    assert (await edge.ask("GET", "/v1/kv/a")).status == 200
    edge.agent.settings = dataclasses.replace(
        edge.agent.settings, http_config_block_endpoints=["/v1/kv"]
    )
    edge.server.reload()
    assert (await edge.ask("GET", "/v1/kv/a")).status == 403


async def test_a_fault_of_ours_is_a_500_in_the_log_and_harms_nobody_else(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(agent: Agent, request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    async def broken_later(agent: Agent, request: Request) -> Response:
        raise ZeroDivisionError("a bug")

    route = next(route for route in ROUTES if route.path == "/v1/status/leader")
    client = await edge.client()
    for handler in (broken, broken_later):
        monkeypatch.setitem(route.handlers, "GET", handler)
        edge.server.app.known.clear()
        reply = await client.ask("GET", "/v1/status/leader")
        assert (reply.status, reply.text) == (500, "internal error: see the agent's log")
    assert caplog.text.count("ZeroDivisionError: a bug") == 2
    assert (await client.ask("GET", "/v1/status/peers")).status == 200


async def test_requests_are_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "agent.http")
    async with edge_of() as edge:
        await edge.ask("GET", "/v1/kv/a?recurse")
    (message,) = [record.getMessage() for record in caplog.records if "finished" in record.msg]
    assert message.startswith("Request finished: method=GET url=/v1/kv/a?recurse from=127.0.0.1:")


async def test_requests_are_counted_by_route(edge: Edge) -> None:
    for target in ("/v1/kv/a", "/v1/kv/b?recurse", "/v1/status/leader"):
        await edge.ask("GET", target)
    edge.agent.metrics.rotate()
    samples = {
        sample["Name"]: sample["Count"] for sample in edge.agent.metrics.as_json()["Samples"]
    }
    assert samples["consul.http.GET.v1.kv._"] == 2
    assert samples["consul.http.GET.v1.status.leader"] == 1

"""Both ends of a link, on real sockets: `fairlead.agent.cluster.links` and `.link`."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest
from msgspec import structs

from fairlead.agent.cluster import frames
from fairlead.agent.cluster.addresses import JoinError, dial
from fairlead.agent.cluster.channel import Channel
from fairlead.agent.cluster.contracts import Reply
from fairlead.agent.cluster.link_registry import LinkRegistry
from fairlead.core.commands import CatalogDeregister, CatalogRegister, KVSet
from fairlead.core.members import ALIVE, FAILED, LEFT
from fairlead.core.rows import CheckRow, Service
from fairlead.errors import InvalidError, SettingsError, UnavailableError
from tests.agent.cluster.linked import Hub, hub_of, node_row, until
from tests.agent.cluster.test_frames import SAMPLES

OK = Reply(200, b"application/json", b"X-Consul-Index: 7\r\n", b"[]")


async def test_a_linked_agent_is_a_member_and_a_node(hub: Hub) -> None:
    await hub.linked("c1")
    assert hub.status("c1") == ALIVE
    assert hub.health("c1") == "passing"
    assert hub.store.state.nodes.rows["c1"].address == "10.0.0.1"


async def test_a_request_goes_over_and_its_answer_comes_back_as_it_is(hub: Hub) -> None:
    link = await hub.linked("c1")
    asking = asyncio.create_task(
        link.request("GET", b"/v1/kv/a?index=3", [(b"x-consul-token", b"t")])
    )
    await until(lambda: len(hub.edge.asked) == 1)
    asked = hub.edge.asked[0]
    assert (asked.method, asked.target, asked.body) == ("GET", b"/v1/kv/a?index=3", b"")
    assert (asked.headers, asked.source) == ({b"x-consul-token": b"t"}, "c1")
    asked.reply(OK)
    assert structs.replace(await asking, index=0) == OK


async def test_answers_find_their_questions_in_any_order(hub: Hub) -> None:
    link = await hub.linked("c1")
    asking = [asyncio.create_task(link.request("GET", b"/%d" % number)) for number in range(100)]
    await until(lambda: len(hub.edge.asked) == 100)
    for asked in reversed(hub.edge.asked):
        asked.reply(Reply(200, b"", b"", asked.target))
    assert [reply.body for reply in await asyncio.gather(*asking)] == [
        b"/%d" % number for number in range(100)
    ]


async def test_a_reader_that_goes_away_frees_the_server(hub: Hub) -> None:
    link = await hub.linked("c1")
    asking = asyncio.create_task(link.request("GET", b"/v1/kv/a?index=3"))
    await until(lambda: len(hub.edge.asked) == 1)
    asking.cancel()
    await until(lambda: hub.edge.asked[0].cancelled)


async def test_a_link_that_breaks_frees_the_server(hub: Hub) -> None:
    link = await hub.linked("c1")
    asking = asyncio.create_task(link.request("GET", b"/v1/kv/a?index=3"))
    await until(lambda: len(hub.edge.asked) == 1)
    link.stop()
    await until(lambda: hub.edge.asked[0].cancelled)
    with pytest.raises(UnavailableError):
        await asking


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024, 5 * 1024 * 1024 + 1])
async def test_bodies_of_any_size_pass_both_ways(hub: Hub, size: int) -> None:
    link = await hub.linked("c1")
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    asking = asyncio.create_task(link.request("PUT", b"/v1/snapshot", body=body))
    await until(lambda: len(hub.edge.asked) == 1)
    assert hub.edge.asked[0].body == body
    hub.edge.asked[0].reply(Reply(200, b"", b"", body))
    assert (await asking).body == body


async def test_a_stream_arrives_whole(hub: Hub) -> None:
    link = await hub.linked("c1")
    asking = asyncio.create_task(link.request("GET", b"/v1/snapshot"))
    await until(lambda: len(hub.edge.asked) == 1)
    stream = io.BytesIO(b"x" * 4_000_000)
    hub.edge.asked[0].reply(Reply(200, b"application/x-gzip", b"", b"", stream))
    assert (await asking).body == b"x" * 4_000_000


async def test_a_body_over_the_limit_ends_the_link(hub: Hub) -> None:
    hub.edge.limit = 1024 * 1024
    link = await hub.linked("c1")
    with pytest.raises(UnavailableError, match="may have happened"):
        await link.request("PUT", b"/v1/kv/a", body=b"x" * 3 * 1024 * 1024)
    assert hub.edge.asked == []


# ---------------------------------------------------------------- the registry


async def test_commands_are_decided_and_refusals_come_back_as_they_are(hub: Hub) -> None:
    link = LinkRegistry(await hub.linked("c1"))
    node = node_row("c1")
    service = Service("web1", "web", ["a"], port=80)
    check = CheckRow("c1", "service:web1", "web", "passing", service_id="web1")
    assert await link.submit(CatalogRegister(node, [check], service)) is True
    contents = await link.contents("c1")
    assert contents.node is not None
    assert [found.id for found in contents.services] == ["web1"]
    assert {found.check_id for found in contents.checks} == {"serfHealth", "service:web1"}
    with pytest.raises(InvalidError, match="Must provide node"):
        await link.submit(CatalogDeregister(""))
    with pytest.raises(InvalidError, match="an agent cannot submit KVSet"):
        await link.submit(KVSet("a", b"b"))
    assert (await link.contents("other")).node is None


# ---------------------------------------------------------------- breaking and finding again


async def test_a_read_is_asked_again_over_the_next_link(hub: Hub) -> None:
    link = await hub.linked("c1")
    hub.keep(link)
    asking = asyncio.create_task(link.request("GET", b"/v1/kv/a"))
    await until(lambda: len(hub.edge.asked) == 1)
    await hub.restart()
    await until(lambda: len(hub.edge.asked) == 2)
    hub.edge.asked[1].reply(OK)
    assert structs.replace(await asking, index=0) == OK


async def test_a_write_under_way_is_never_repeated(hub: Hub) -> None:
    link = await hub.linked("c1")
    hub.keep(link)
    asking = asyncio.create_task(link.request("PUT", b"/v1/kv/a", body=b"v"))
    await until(lambda: len(hub.edge.asked) == 1)
    await hub.restart()
    with pytest.raises(UnavailableError, match="may have happened, or may not"):
        await asking
    await link.wait_up()
    assert len(hub.edge.asked) == 1


async def test_what_was_not_sent_waits_for_the_next_link(hub: Hub) -> None:
    link = await hub.linked("c1")
    hub.keep(link)
    await hub.links.stop()
    await until(lambda: not link.is_up)
    asking = asyncio.create_task(link.request("PUT", b"/v1/kv/a", body=b"v"))
    await hub.restart()
    await until(lambda: len(hub.edge.asked) == 1)
    hub.edge.asked[0].reply(OK)
    assert structs.replace(await asking, index=0) == OK


async def test_without_a_server_there_is_one_clear_error(hub: Hub) -> None:
    link = hub.agent("c1")
    with pytest.raises(UnavailableError, match="No known Consul servers"):
        await link.request("GET", b"/v1/kv/a")


async def test_a_server_that_vanished_says_so_to_its_agents(hub: Hub) -> None:
    """It learns of the servers there are when it links, and finds the one that is left."""
    link = await hub.linked("c1")
    assert link.servers == [f"127.0.0.1:{hub.port}"]
    link.joined = []
    hub.keep(link)
    await hub.restart()
    await until(lambda: link.is_up and hub.links.by_name.get("c1") is not None)


# ---------------------------------------------------------------- who may come in


async def test_agents_that_share_the_key_link() -> None:
    async with hub_of(b"k" * 32) as hub:
        await hub.linked("c1")
        assert hub.status("c1") == ALIVE


@pytest.mark.parametrize("key", [b"", b"other" * 4])
async def test_a_wrong_key_is_one_clear_error_at_both_ends(
    key: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with hub_of(b"k" * 32) as hub:
        with pytest.raises(JoinError) as caught:
            await hub.agent("c1", key=key).join(f"127.0.0.1:{hub.port}")
        assert str(caught.value) == (
            f"Failed to join 127.0.0.1:{hub.port}: refused: the encrypt keys differ"
        )
        assert hub.status("c1") == 0
    assert [record.getMessage().partition(" from=")[0] for record in caplog.records] == [
        "an agent was refused:"
    ]


async def test_an_agent_with_a_key_takes_no_server_without_it(hub: Hub) -> None:
    words = f"Failed to join 127.0.0.1:{hub.port}: refused: the encrypt keys differ"
    with pytest.raises(JoinError, match=words):
        await hub.agent("c1", key=b"k" * 16).join(f"127.0.0.1:{hub.port}")
    assert hub.status("c1") == 0


async def test_a_name_that_lives_is_nobody_else_s(hub: Hub) -> None:
    await hub.linked("c1", 1)
    with pytest.raises(JoinError, match='the name "C1" is taken by an agent that lives'):
        await hub.linked("C1", 2)
    with pytest.raises(JoinError, match='the name "s1" is taken'):
        await hub.linked("s1", 2)


async def test_a_cloned_machine_is_refused_until_it_has_an_id_of_its_own(hub: Hub) -> None:
    await hub.linked("c1", 1)
    with pytest.raises(JoinError, match=r"'c2' has conflicting node ID .* with member 'c1'"):
        await hub.linked("c2", 1)
    assert set(hub.store.state.nodes.rows) == {"c1"}


async def test_an_agent_that_comes_back_replaces_its_own_dead_link(hub: Hub) -> None:
    old = await hub.linked("c1")
    await hub.linked("c1")
    await until(lambda: not old.is_up)
    assert hub.status("c1") == ALIVE


async def test_another_datacenter_is_refused(hub: Hub) -> None:
    with pytest.raises(JoinError, match='it is in datacenter "dc2", not "dc1"'):
        await hub.agent("c1", datacenter="dc2").join(f"127.0.0.1:{hub.port}")


async def test_a_busy_port_is_one_clear_error(hub: Hub) -> None:
    with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{hub.port}: address"):
        await hub.links.listen("127.0.0.1", {"ports.server": hub.port})


async def test_nobody_there_is_said_in_go_s_words(hub: Hub) -> None:
    await hub.links.stop()
    with pytest.raises(JoinError) as caught:
        await hub.agent("c1").join(f"127.0.0.1:{hub.port}")
    assert str(caught.value) == (
        f"Failed to join 127.0.0.1: dial tcp 127.0.0.1:{hub.port}: connect: connection refused"
    )


async def test_who_closes_the_connection_at_once_is_named(hub: Hub) -> None:
    stranger = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = stranger.sockets[0].getsockname()[1]
    async with stranger:
        with pytest.raises(JoinError) as caught:
            await hub.agent("c1").join(f"127.0.0.1:{port}")
    assert str(caught.value) == f"Failed to join 127.0.0.1:{port}: the connection was closed"


@pytest.mark.parametrize(
    "address", ["", "a\0b", "x" * 300, "\udcff", "127.0.0.1:99999", "[", "[]:1", "a b", ":", "::"]
)
async def test_an_address_that_is_none_is_one_clear_error(hub: Hub, address: str) -> None:
    with pytest.raises(JoinError, match="Failed to "):
        await hub.agent("c1").join(address)


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\1\xff", b"\0\0\0\2\x91\x63", b"\xff" * 100]
)
async def test_garbage_ends_the_connection_with_one_line_in_the_log(
    hub: Hub, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(garbage)
    try:
        while await reader.read(1000):
            pass
    except ConnectionResetError:
        pass
    writer.close()
    await until(lambda: len(caplog.records) == 1)
    assert caplog.records[0].getMessage().startswith("a link was ended: node= from=127.0.0.1")


class Stranger:
    """An agent that speaks the language and keeps to no order."""

    def __init__(self) -> None:
        self.frames: list[frames.Frame] = []
        self.is_closed = False

    def opened(self, channel: Channel) -> None:
        self.channel = channel

    def received(self, frame: frames.Frame) -> None:
        self.frames.append(frame)

    def closed(self, channel: Channel, reason: str) -> None:
        self.is_closed = True


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: type(sample).__name__)
@pytest.mark.parametrize("is_in", [False, True])
async def test_any_frame_at_any_time_harms_nobody_else(
    hub: Hub, sample: frames.Frame, is_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = Stranger()
    await dial(Channel(stranger), "127.0.0.1", hub.port)
    await until(lambda: len(stranger.frames) == 1)
    if is_in:
        stranger.channel.send(frames.Login(1, b"", b"", node_row("x", 7), 1, {}))
        await until(lambda: len(stranger.frames) == 2)
    for _ in range(2):
        stranger.channel.send(sample)
    link = await hub.linked("c1")
    await link.beat()
    assert hub.status("c1") == ALIVE
    stranger.channel.close()
    await until(lambda: stranger.is_closed)
    assert not [record for record in caplog.records if record.exc_info]


# ---------------------------------------------------------------- life and death


async def test_a_silent_agent_fails_in_time_and_the_others_live(hub: Hub) -> None:
    dead, alive = await hub.linked("c1", 1), await hub.linked("c2", 2)
    for _ in range(4):
        hub.clock.advance(1.2)
        await alive.beat()
        await hub.links.membership.tick()
        assert (hub.status("c1"), hub.health("c1")) == (ALIVE, "passing")
    hub.clock.advance(0.3)
    await hub.links.membership.tick()
    assert (hub.status("c1"), hub.health("c1")) == (FAILED, "critical")
    assert (hub.status("c2"), hub.health("c2")) == (ALIVE, "passing")
    await dead.beat()
    await until(lambda: (hub.status("c1"), hub.health("c1")) == (ALIVE, "passing"))


async def test_an_agent_whose_link_broke_has_three_seconds(hub: Hub) -> None:
    link = await hub.linked("c1")
    link.stop()
    await until(lambda: not hub.links.by_name)
    hub.clock.advance(2.9)
    await hub.links.membership.tick()
    assert hub.status("c1") == ALIVE
    hub.clock.advance(0.2)
    await hub.links.membership.tick()
    assert hub.status("c1") == FAILED


async def test_heartbeats_write_nothing(hub: Hub) -> None:
    link = await hub.linked("c1")
    await link.beat()
    index = hub.store.state.index
    for _ in range(20):
        await link.beat()
    await hub.links.membership.tick()
    assert hub.store.state.index == index


async def test_an_agent_that_leaves_is_gone_from_the_catalog_at_once(hub: Hub) -> None:
    link = await hub.linked("c1")
    await link.leave()
    assert hub.status("c1") == LEFT
    assert "c1" not in hub.store.state.nodes.rows
    await until(lambda: not link.is_up)
    hub.clock.advance(60)
    await hub.links.membership.tick()
    assert hub.status("c1") == LEFT


async def test_what_was_removed_by_hand_comes_back_with_the_next_beat(hub: Hub) -> None:
    link = await hub.linked("c1")
    await hub.links.membership.force_leave("C1", prune=False)
    assert (hub.status("c1"), hub.health("c1")) == (LEFT, "")
    await link.beat()
    await until(lambda: (hub.status("c1"), hub.health("c1")) == (ALIVE, "passing"))
    await hub.store.submit(CatalogDeregister("c1"))
    await link.beat()
    await until(lambda: hub.health("c1") == "passing")


async def test_coordinates_are_written_once_they_moved(hub: Hub) -> None:
    link = await hub.linked("c1")
    await link.beat()
    await link.beat()
    await hub.links.positions.flush()
    assert hub.store.state.coordinates.rows["c1"].node == "c1"
    index = hub.store.state.index
    await hub.links.positions.flush()
    assert hub.store.state.index == index


async def test_hundreds_of_agents_live_in_one_process(hub: Hub) -> None:
    links = [hub.agent(f"c{number}", number) for number in range(300)]
    for link in links:
        link.joined = [f"127.0.0.1:{hub.port}"]
        hub.keep(link)
    await until(lambda: len(hub.links.by_name) == 300)
    await hub.restart()
    await until(lambda: len(hub.links.by_name) == 300 and all(link.is_up for link in links))
    await asyncio.gather(*(link.leave() for link in links[:100]))
    rows = hub.store.state.members.rows.values()
    await until(lambda: sum(row.status == LEFT for row in rows) == 100)
    assert sum(row.status == ALIVE for row in rows) == 200

"""Servers that start with nothing find each other and form one cluster, or say why not."""

from __future__ import annotations

import asyncio
import logging
import stat
from pathlib import Path
from typing import Any

import pytest

from fairlead.engines import open_engine
from fairlead.errors import SettingsError
from tests.agent.etcd.servers import OTHER_SECRET, Server, Servers, until

pytestmark = pytest.mark.xdist_group("etcd")


async def test_three_servers_form_one_cluster_and_share_what_is_written(servers: Servers) -> None:
    one, two, three = await servers.formed()
    assert await one.members() == {"s1": True, "s2": True, "s3": True}
    await one.supervisor.client.put(b"a", b"b")
    assert (await three.supervisor.client.range(b"a")).kvs[0].value == b"b"
    plans = {(server.etcd_dir / "cluster.json").read_text() for server in (one, two, three)}
    assert len(plans) == 1
    health = await two.supervisor.members.health()
    assert all(member.is_reachable and member.url.startswith("https://") for member in health)


async def test_what_they_run_is_an_engine_that_they_share(servers: Servers) -> None:
    engines = [open_engine(server.supervisor.engine_address) for server in await servers.formed()]
    for engine in engines:
        contents = await engine.load()
        assert (contents.index, list(contents.rows)) == (0, [])
    for engine in engines:
        await engine.close()


async def test_they_all_restart(servers: Servers) -> None:
    three = await servers.formed()
    await three[0].supervisor.client.put(b"a", b"b")
    await asyncio.gather(*(server.stop() for server in three))
    await asyncio.gather(*(server.start() for server in three))
    assert (await three[2].supervisor.client.range(b"a")).kvs[0].value == b"b"


async def test_a_restart_needs_no_more_than_a_majority(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    one, two, three = await servers.formed()
    await asyncio.gather(*(server.stop() for server in (one, two, three)))
    with caplog.at_level(logging.INFO, "agent.etcd"):
        alone = asyncio.create_task(one.start())
        await until(lambda: "waiting for etcd: most of the servers have to run" in caplog.text)
    await two.start()
    await alone
    assert len(await one.members()) == 3


async def test_each_needs_to_know_of_one_other_only(servers: Servers) -> None:
    chain = {1: ["127.0.0.2"], 2: ["127.0.0.3"], 3: []}
    three = [servers.server(number, retry_join=joined) for number, joined in chain.items()]
    await asyncio.gather(*(server.start() for server in three))
    assert len(await three[0].members()) == 3


async def test_whoever_waits_says_for_whom_and_can_be_ended(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    one = servers.server(1)
    with caplog.at_level(logging.INFO, "agent.etcd"):
        waiting = [asyncio.create_task(servers.server(n).start()) for n in (1, 2)]
        await until(lambda: "waiting for servers: 2 of 3 found (missing 127.0.0.3)" in caplog.text)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert not (one.etcd_dir / "cluster.json").exists()
    # Its ports and its directory are free again.
    again = asyncio.create_task(one.start())
    await asyncio.sleep(0)
    again.cancel()
    await asyncio.wait([again])


@pytest.mark.parametrize(
    ("odd", "line"),
    [
        ({"bootstrap_expect": 5}, "bootstrap_expect is 3 here and 5 on s2 (127.0.0.2:"),
        ({"datacenter": "dc2"}, 'datacenter is "dc1" here and "dc2" on s2 (127.0.0.2:'),
        ({"encrypt": OTHER_SECRET}, "the encrypt keys differ"),
        ({"encrypt": ""}, "the encrypt keys differ"),
        ({"node_name": "S1"}, 'the name "s1" is this server\'s (127.0.0.1:'),
    ],
)
async def test_servers_that_do_not_fit_say_so_with_both_names(
    servers: Servers, caplog: pytest.LogCaptureFixture, odd: dict[str, Any], line: str
) -> None:
    waiting = [
        asyncio.create_task(servers.server(1).start()),
        asyncio.create_task(servers.server(2, **odd).start()),
    ]
    await until(lambda: line in caplog.text)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_a_server_in_another_datacenter_does_not_keep_the_three_apart(
    servers: Servers,
) -> None:
    odd = asyncio.create_task(servers.server(4, datacenter="dc2").start())
    three = await servers.formed(retry_join=[f"127.0.0.{n}" for n in (1, 2, 3, 4)])
    assert len(await three[0].members()) == 3
    odd.cancel()
    await asyncio.wait([odd])


async def test_without_a_secret_they_warn_that_they_talk_in_the_clear(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    three = await servers.formed(encrypt="")
    assert "the servers talk to each other without TLS" in caplog.text
    members = await three[0].supervisor.members.all()
    assert all(member.url.startswith("http://") for member in members)


async def test_a_data_directory_may_have_a_long_and_odd_name(servers: Servers) -> None:
    servers.folder = servers.folder / ("long, and odd? " * 12)
    three = await servers.formed()
    run = three[0].supervisor._given.folder.run
    assert run.exists()
    assert len(await three[0].members()) == 3
    await servers.stop()
    assert not run.exists()


async def refused(server: Server) -> str:
    with pytest.raises(SettingsError) as found:
        await server.start()
    return f"{found.value} {found.value.hint}"


async def test_a_missing_etcd_is_one_line_that_says_what_to_install(servers: Servers) -> None:
    text = await refused(servers.server(1, etcd_binary="/nowhere/etcd"))
    assert "\n" not in text
    assert "`/nowhere/etcd`" in text
    assert "apt-get install etcd-server" in text


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("etcd Version: 3.3.25", "is etcd 3.3.25, which is not fit"),
        ("etcd Version: 3.5.9", "is etcd 3.5.9, which is not fit"),
        ("hello", "is no etcd"),
    ],
)
async def test_an_unfit_etcd_is_one_line_that_says_what_to_install(
    servers: Servers, tmp_path: Path, says: str, why: str
) -> None:
    program = tmp_path / "etcd"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    text = await refused(servers.server(1, etcd_binary=str(program)))
    assert "\n" not in text
    assert why in text
    assert "apt-get install etcd-server" in text


async def test_the_state_of_a_single_server_is_not_left_behind_unseen(servers: Servers) -> None:
    one = servers.server(1)
    Path(one.settings.data_dir).mkdir()
    (Path(one.settings.data_dir) / "fairlead.db").touch()
    assert "fairlead operator migrate" in await refused(one)


async def test_a_port_that_is_taken_is_named(servers: Servers) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    three = [servers.server(number) for number in (1, 2, 3)]
    taken = await asyncio.start_server(nothing, "127.0.0.1", servers.ports["etcd"])
    others = [asyncio.create_task(server.start()) for server in three[1:]]
    text = await refused(three[0])
    assert f"etcd cannot listen on 127.0.0.1:{servers.ports['etcd']}" in text
    assert "ports.etcd" in text
    taken.close()
    # It has promised to be one of them, and comes back with that word.
    await asyncio.gather(three[0].start(), *others)
    assert len(await three[0].members()) == 3


async def test_two_agents_cannot_use_one_directory(servers: Servers) -> None:
    one, *_ = await servers.formed()
    twin = servers.server(4, data_dir=one.settings.data_dir)
    assert "is in use by another process" in await refused(twin)

"""A cluster that runs: servers are lost, replaced, added and removed; etcd dies, or is full."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import signal
import ssl
import sys
from pathlib import Path

import pytest

from fairlead.agent.etcd.certificates import certificates
from fairlead.agent.etcd.command import Limits
from fairlead.agent.etcd.upkeep import Upkeep
from fairlead.errors import NotFoundError, SettingsError, UnavailableError
from tests.agent.etcd.servers import OTHER_SECRET, Server, Servers, until

pytestmark = [pytest.mark.xdist_group("etcd"), pytest.mark.long]

ALL = {"s1": True, "s2": True, "s3": True}


def lose(server: Server) -> None:
    """Its disk is gone."""
    shutil.rmtree(server.settings.data_dir)


async def test_an_etcd_that_is_killed_is_started_again(servers: Servers) -> None:
    one, *_ = await servers.formed()
    first = one.supervisor.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: one.supervisor.pid not in (0, first))

    async def answers() -> bool:
        try:
            return bool(await one.supervisor.client.put(b"a", b"b"))
        except UnavailableError:
            return False

    await until(answers)
    assert one.faults == []


async def test_a_lost_server_is_replaced_by_one_of_its_name_with_an_empty_disk(
    servers: Servers,
) -> None:
    one, _, three = await servers.formed()
    await one.supervisor.client.put(b"a", b"b")
    before = {member.node: member.id for member in await one.supervisor.members.all()}
    await three.stop()
    lose(three)
    await three.start()
    assert await three.members() == ALL
    assert (await three.supervisor.client.range(b"a")).kvs[0].value == b"b"
    after = {member.node: member.id for member in await one.supervisor.members.all()}
    assert after["s3"] != before["s3"]
    # It is a member like the others, and stays one.
    await three.stop()
    await three.start()
    assert await three.members() == ALL


async def test_it_may_come_back_at_another_address(servers: Servers) -> None:
    one, _, three = await servers.formed()
    await three.stop()
    moved = servers.server(4, node_name="s3")
    await moved.start()
    assert await one.members() == ALL
    urls = {member.node: member.url for member in await one.supervisor.members.all()}
    assert "127.0.0.4" in urls["s3"]


async def test_a_server_that_moves_with_its_disk_stays_the_member_it_is(servers: Servers) -> None:
    one, _, three = await servers.formed()
    before = {member.node: member.id for member in await one.supervisor.members.all()}
    await three.stop()
    moved = servers.server(4, node_name="s3", data_dir=three.settings.data_dir)
    await moved.start()

    async def is_known() -> bool:
        members = {member.node: member for member in await one.supervisor.members.all()}
        return members["s3"].id == before["s3"] and "127.0.0.4" in members["s3"].url

    await until(is_known)


async def test_a_fresh_server_joins_and_votes(servers: Servers) -> None:
    one, *_ = await servers.formed()
    four = await servers.server(4).start()
    assert await one.members() == await four.members() == {**ALL, "s4": True}


async def test_a_server_that_was_told_of_other_members_asks_again(servers: Servers) -> None:
    """As when one was removed between its being taken in and its start."""
    one, *_ = await servers.formed()
    four = servers.server(4)
    plan = json.loads((one.etcd_dir / "cluster.json").read_text())
    plan["Stage"] = "joining"
    url = f"https://127.0.0.4:{servers.ports['etcd']}"
    plan["Plan"]["members"].append({"id": "", "name": "s4", "address": "", "url": url})
    four.etcd_dir.mkdir(parents=True)
    (four.etcd_dir / "cluster.json").write_text(json.dumps(plan))
    await four.start()
    assert await one.members() == {**ALL, "s4": True}


async def test_two_that_come_at_once_both_join(servers: Servers) -> None:
    one, *_ = await servers.formed()
    await asyncio.gather(servers.server(4).start(), servers.server(5).start())
    assert await one.members() == {**ALL, "s4": True, "s5": True}


async def test_nobody_takes_the_place_of_a_server_that_lives(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    one, *_ = await servers.formed()
    with caplog.at_level(logging.INFO, "agent.etcd"):
        twin = asyncio.create_task(servers.server(4, node_name="s3").start())
        await until(lambda: 'the place of "s3" is taken by a server that lives' in caplog.text)
    twin.cancel()
    await asyncio.wait([twin])
    assert await one.members() == ALL


async def test_a_stranger_with_another_secret_gets_nowhere(
    servers: Servers, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    one, *_ = await servers.formed()
    stranger = asyncio.create_task(servers.server(4, encrypt=OTHER_SECRET).start())
    await until(lambda: "the encrypt keys differ" in caplog.text)
    stranger.cancel()
    await asyncio.wait([stranger])
    assert await one.members() == ALL
    # Nor straight to etcd's port, with certificates from that secret.
    settings = servers.settings(4, encrypt=OTHER_SECRET)
    made = certificates(settings, b"another secret", tmp_path / "stranger")
    context = ssl.create_default_context(cafile=one.etcd_dir / "tls" / "ca.pem")
    context.load_cert_chain(made.cert_file, made.key_file)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await spoken(context, servers)
    own = one.etcd_dir / "tls"
    context.load_cert_chain(own / "cert.pem", own / "key.pem")
    assert b"200 OK" in await spoken(context, servers)


async def spoken(context: ssl.SSLContext, servers: Servers) -> bytes:
    """What etcd says to a member who shows that certificate."""
    port = servers.ports["etcd"]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET /version HTTP/1.0\r\nHost: s1\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()


async def test_a_server_that_is_removed_stops_and_says_what_to_do(servers: Servers) -> None:
    one, _, three = await servers.formed()
    members = {member.node: member.id for member in await one.supervisor.members.all()}

    async def is_removed() -> bool:
        try:
            await one.supervisor.members.remove(members["s3"])
        except UnavailableError as error:
            reasons.add(str(error))
            return False
        return True

    reasons: set[str] = set()
    await until(is_removed)
    assert all("connected to each other" in reason for reason in reasons)
    with pytest.raises(NotFoundError, match="there is no etcd member"):
        await one.supervisor.members.remove(members["s3"])
    await until(lambda: three.faults)
    assert "this server was removed from the cluster" in three.faults[0]
    assert f"empty {three.etcd_dir}" in three.faults[0]
    await three.stop()
    shutil.rmtree(three.etcd_dir)
    await three.start()
    assert await one.members() == ALL


async def test_a_server_that_was_removed_while_it_was_off_says_so_when_it_starts(
    servers: Servers,
) -> None:
    one, _, three = await servers.formed()
    await three.stop()
    member = next(m for m in await one.supervisor.members.all() if m.node == "s3")
    await one.supervisor.members.remove(member.id)
    with pytest.raises(SettingsError, match="this server was removed from the cluster"):
        await three.start()


async def test_a_server_with_an_older_copy_of_its_disk_stops_and_says_what_to_do(
    servers: Servers, tmp_path: Path
) -> None:
    one, two, three = await servers.formed()
    await three.stop()
    shutil.copytree(three.settings.data_dir, tmp_path / "copy")
    await three.start()
    for number in range(50):
        await one.supervisor.client.put(b"key", str(number).encode())
    await three.stop()
    shutil.rmtree(three.settings.data_dir)
    shutil.copytree(tmp_path / "copy", three.settings.data_dir)
    await asyncio.gather(one.stop(), two.stop())
    # The others know how far it was only as long as they run; alone etcd finds nothing wrong.
    await asyncio.gather(one.start(), two.start(), three.start())
    assert (await three.supervisor.client.range(b"key")).kvs[0].value == b"49"


async def test_a_server_whose_etcd_lost_its_data_stops_and_says_what_to_do(
    servers: Servers,
) -> None:
    _, _, three = await servers.formed()
    await three.stop()
    shutil.rmtree(three.etcd_dir / "data")
    with pytest.raises(SettingsError, match="is older than what this server has"):
        await three.start()


_SUPERVISE = """
import asyncio, sys
from fairlead.agent.etcd.supervisor import supervised
from fairlead.clock import SystemClock
from fairlead.settings.settings import build
import json

async def main():
    supervisor = await supervised(build(json.loads(sys.argv[1])), SystemClock())
    print(supervisor.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_etcd_dies_with_its_agent(servers: Servers) -> None:
    """Which was killed, and cannot have ended it."""
    raw = servers.raw(3)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SUPERVISE, json.dumps(raw), stdout=asyncio.subprocess.PIPE
    )
    one, two = servers.server(1), servers.server(2)
    await asyncio.gather(one.start(), two.start())
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    os.kill(pid, 0)
    process.kill()
    await process.wait()
    await until(lambda: not Path(f"/proc/{pid}").exists() or "\tZ" in stat_of(pid))


def stat_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


async def test_the_history_is_cut_by_whoever_leads(servers: Servers) -> None:
    one, *_ = await servers.formed()
    client = one.supervisor.client
    upkeep = Upkeep(client, Limits(), lambda: True)
    assert not await upkeep.look()
    for number in range(1100):
        await client.put(b"key", str(number).encode())
    first = (await client.status()).header.revision - 1000
    await upkeep.look()
    await client.range(b"key", revision=first)
    for number in range(1100):
        await client.put(b"key", str(number).encode())
    await upkeep.look()
    with pytest.raises(UnavailableError, match="compacted"):
        await client.range(b"key", revision=first)


async def test_an_etcd_that_is_full_makes_room_and_takes_writes_again(
    servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    limits = Limits(quota_bytes=16 * 1024 * 1024)
    three = await servers.formed(limits)
    client = three[0].supervisor.client
    puts = [client.put(b"key", bytes(512 * 1024)) for _ in range(100)]
    with pytest.raises(UnavailableError, match="etcd is full"):
        await asyncio.gather(*puts)
    upkeeps = [Upkeep(server.supervisor.client, limits, lambda: False) for server in three]

    async def is_well() -> bool:
        return not any([await upkeep.look() for upkeep in upkeeps])

    await until(is_well)
    await client.put(b"key", b"small")
    assert "etcd is full and takes no writes" in caplog.text
    assert "etcd has room again and takes writes" in caplog.text

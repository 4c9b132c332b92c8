"""Servers and etcds that stand still for a while, as under SIGSTOP."""

from __future__ import annotations

import asyncio
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.engines import Batch, Changed, Elected, Leader, StoredRow
from fairlead.engines.etcd.address import read_address
from fairlead.engines.etcd.barriers import Barriers
from fairlead.engines.etcd.client import Client
from fairlead.engines.etcd.failures import RefusedError
from fairlead.errors import DeposedError, SettingsError, UnavailableError
from tests.engines.between import proxy
from tests.etcd import LIMITS, Etcd, Server, batch, servers


@pytest.fixture
def own() -> Iterator[Etcd]:
    """An etcd of the test's own, to be stopped."""
    started = Etcd().start()
    yield started
    started.remove()


def revoke(etcd: Etcd, server: Server) -> None:
    etcd.ctl("lease", "revoke", f"{server.engine._lead.lease:x}")


async def test_a_process_that_stood_still_before_it_sent_a_commit_writes_nothing(
    etcd: Etcd,
) -> None:
    async with servers(etcd.address(), "a") as (a,):
        await a.engine.commit(batch(1, ("kv", "x", "1")))

        def frozen() -> Iterator[StoredRow]:
            """Decided and not sent: all of the process stands still here."""
            revoke(etcd, a)
            yield StoredRow("kv", "x", b"lost")

        with pytest.raises(DeposedError, match="another server leads: nothing was written"):
            await a.engine.commit(Batch(2, (), (), frozen(), {"kv": 2}))
        assert a.engine.lease_until == 0
        assert [row.text for row in (await a.engine.load()).rows] == [b"1"]
        await a.sees(Elected(a.me), 2)
        await a.engine.commit(batch(2, ("kv", "x", "2")))


async def test_a_process_that_stood_still_longer_than_its_lease_does_not_lead(
    etcd: Etcd,
) -> None:
    async with servers(etcd.address(), "a") as (a,):
        time.sleep(3.1)
        assert a.engine.lease_until < time.monotonic()
        with pytest.raises(DeposedError):
            await a.engine.commit(batch(1, ("kv", "x", "lost")))
        assert a.engine.lease_until == 0
        await a.sees(Elected(a.me), 2)
        assert list((await a.engine.load()).rows) == []


async def test_a_commit_that_was_held_up_until_another_led_is_not_made(etcd: Etcd) -> None:
    options = f"?prefix={uuid.uuid4().hex}&{LIMITS}"
    async with proxy(etcd) as between, servers(f"127.0.0.1:{between.port}{options}", "a") as (a,):
        b = await Server(f"{etcd.endpoint}{options}", "b").start()
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        between.asks.clear()
        running = asyncio.create_task(a.engine.commit(batch(2, ("kv", "x", "lost"))))
        await asyncio.sleep(0)
        await asyncio.to_thread(revoke, etcd, a)
        await b.leads()
        await b.engine.commit(batch(2, ("kv", "x", "2")))
        assert not running.done()
        between.asks.set()
        with pytest.raises(DeposedError, match="another server leads: nothing was written"):
            await running
        assert a.engine.lease_until == 0
        await a.sees(Changed)
        assert [row.text for row in (await b.engine.load()).rows] == [b"2"]
        await b.close()


async def test_a_lead_that_is_over_by_the_clock_is_over_for_all(etcd: Etcd) -> None:
    """Also before the campaign wakes up and sees it."""
    async with servers(etcd.address(), "a") as (a,):
        a.engine._lead._until = time.monotonic() - 0.001
        with pytest.raises(DeposedError):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
        assert a.engine.lease_until == 0
        await a.sees(Elected(None), 2)


async def test_barriers_fail_in_time_when_etcd_stands_still(own: Etcd) -> None:
    address = f"{own.endpoint},{own.endpoint},{own.endpoint}?prefix=x"
    async with servers(address, "a") as (a,):
        await a.engine.barrier()
        own.pause()
        try:
            started = time.monotonic()
            first = [asyncio.create_task(a.engine.barrier()) for _ in range(50)]
            await asyncio.sleep(0.5)
            later = [asyncio.create_task(a.engine.barrier()) for _ in range(50)]
            results = await asyncio.gather(*first, *later, return_exceptions=True)
            assert time.monotonic() - started < 5
            assert all(isinstance(result, UnavailableError) for result in results)
            assert a.engine.lease_until == 0 or a.engine.lease_until < time.monotonic()
        finally:
            own.resume()
        await a.sees(Elected(a.me), 2)
        await a.engine.barrier()


async def test_one_question_serves_all_who_wait() -> None:
    asked = 0
    answer = asyncio.Event()

    async def confirm() -> None:
        nonlocal asked
        asked += 1
        await answer.wait()

    barriers = Barriers(confirm)
    first = [asyncio.create_task(barriers.passed()) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert asked == 1
    # Who comes after the question was sent is served by the next.
    second = [asyncio.create_task(barriers.passed()) for _ in range(100)]
    await asyncio.sleep(0.01)
    assert asked == 1
    answer.set()
    await asyncio.gather(*first, *second)
    assert asked == 2


async def test_a_watch_on_what_never_answers_ends_with_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = Client(read_address(f"127.0.0.1:{silent.getsockname()[1]}"))
        with pytest.raises(UnavailableError):
            async with asyncio.timeout(20):
                await anext(client.watch(b"a", b"b", 1))
        await client.close()


async def test_what_etcd_refuses_is_not_made_and_the_lead_is_kept(
    own: Etcd, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("secret")
    for command in (
        "user add root:secret",
        "user grant-role root root",
        "user add fair:secret",
        "role add fair",
        "role grant-permission --prefix=true fair readwrite /x/",
        "user grant-role fair fair",
        "auth enable",
    ):
        await asyncio.to_thread(own.ctl, *command.split())
    options = f"user=fair&password_file={password}"
    async with servers(own.address("x", options), "a") as (a,):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        root = "--user=root:secret"
        await asyncio.to_thread(
            own.ctl, root, "role", "revoke-permission", "--prefix", "fair", "/x/"
        )
        for index in (2, 3):
            with pytest.raises(SettingsError, match="does not let this user read and write"):
                await a.engine.commit(batch(index, ("kv", "x", "no")))
            assert a.engine.lease_until > 0
        grant = ("role", "grant-permission", "--prefix=true", "fair", "readwrite", "/x/")
        await asyncio.to_thread(own.ctl, root, *grant)
        with pytest.raises(RefusedError, match="raise its --max-request-bytes"):
            await a.engine.commit(batch(2, ("kv", "x", "v" * 1_600_000)))
        assert a.engine.lease_until > 0
        await a.engine.commit(batch(2, ("kv", "x", "2")))
        assert a.events == [Elected(None), Elected(a.me)]
        assert [row.text for row in (await a.engine.load()).rows] == [b"2"]


async def test_a_lease_that_is_ended_from_outside_ends_the_lead_at_once(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        started = time.monotonic()
        await asyncio.to_thread(revoke, etcd, a)
        await a.sees(Elected(None), 2)
        assert a.engine.lease_until == 0
        await first_to_lead(a, b)
        assert time.monotonic() - started < 2


async def first_to_lead(*among: Server) -> Leader:
    async with asyncio.timeout(10):
        while True:
            for server in among:
                if server.engine.lease_until > time.monotonic():
                    return server.me
            await asyncio.sleep(0.01)

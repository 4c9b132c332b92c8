"""What a server does when its etcd is not what it was, or says what cannot be read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.engines import Changed, Elected, Renewed
from fairlead.engines.etcd.address import read_address
from fairlead.engines.etcd.engine import EtcdEngine
from fairlead.engines.etcd.layout import IndexMark
from fairlead.engines.etcd.own import OwnCommits
from fairlead.errors import DeposedError, SettingsError
from tests.engines.between import proxy
from tests.etcd import Etcd, Server, batch, servers


@pytest.fixture
def own() -> Iterator[Etcd]:
    """An etcd of the test's own, to be set back."""
    started = Etcd().start()
    yield started
    started.remove()


async def commits(server: Server, first: int, last: int) -> None:
    for index in range(first, last + 1):
        await server.engine.commit(batch(index, ("kv", "x", str(index))))


async def set_back(etcd: Etcd, file: Path) -> None:
    etcd.kill()
    etcd.restore(file)
    await asyncio.to_thread(etcd.start)


async def test_an_etcd_that_is_set_back_is_not_followed(
    own: Etcd, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "snapshot"
    address = own.address("x")
    async with servers(address, "a", "b") as (a, b):
        await commits(a, 1, 2)
        own.ctl("snapshot", "save", str(file))
        await commits(a, 3, 9)
        await b.sees(Changed, 9)
        await set_back(own, file)
        for server in (a, b):
            await server.sees(Renewed)
            sentence = r"set back to an earlier state: its index is 2, and this server has seen 9"
            with pytest.raises(SettingsError, match=sentence) as caught:
                await server.engine.load()
            assert "snapshot save -stale" in caught.value.hint
            assert server.engine.lease_until == 0
            with pytest.raises(DeposedError):
                await server.engine.commit(batch(10, ("kv", "x", "10")))
        assert "all rows are read again: etcd was set back to an earlier state" in caplog.text
        again = await Server(address, "a").start()
        await again.leads()
        await commits(again, 3, 3)
        assert not [event for event in b.events if event == Changed(3, {"kv": 3}, [], [])]
        # Those that were told to load and could not are told so again.
        feed = b.engine.feed()
        told = await anext(feed)
        assert (await anext(feed) if told == Elected(None) else told) == Renewed()
        await again.close()


async def test_a_history_that_went_on_differently_is_noticed(own: Etcd, tmp_path: Path) -> None:
    file = tmp_path / "snapshot"
    address = own.address("x")
    async with proxy(own) as between:
        async with servers(address, "a") as (a,):
            b = Server(address.replace(str(own.port), str(between.port)), "b")
            await b.start(stands=False)
            await commits(a, 1, 2)
            own.ctl("snapshot", "save", str(file))
            await commits(a, 3, 9)
            await b.sees(Changed, 9)
            between.cut()
        await set_back(own, file)
        async with servers(address, "c") as (c,):
            await commits(c, 3, 50)
            between.is_cut = False
            await b.sees(Renewed)
            assert (await b.engine.load()).index == 50
            await c.engine.commit(batch(51, ("kv", "x", "51")))
            await b.sees(Changed, 10)
            indexes = [event.index for event in b.events if isinstance(event, Changed)]
            assert indexes == [*range(1, 10), 51]
        await b.close()


async def test_an_etcd_that_is_restored_to_its_last_state_goes_on(
    own: Etcd, tmp_path: Path
) -> None:
    file = tmp_path / "snapshot"
    async with servers(own.address("x"), "a", "b") as (a, b):
        await commits(a, 1, 5)
        await b.sees(Changed, 5)
        own.ctl("snapshot", "save", str(file))
        await set_back(own, file)
        async with asyncio.timeout(20):
            while max(a.engine.lease_until, b.engine.lease_until) < time.monotonic():
                await asyncio.sleep(0.05)
        leader, other = (a, b) if a.engine.lease_until else (b, a)
        await commits(leader, 6, 6)
        await other.sees(Changed, 6 if other is b else 1)
        assert Renewed() not in a.events + b.events


@pytest.mark.parametrize("key", ["meta/index", "meta/cluster", "leader"])
async def test_what_cannot_be_read_is_named_and_followed_again_when_it_is_mended(
    etcd: Etcd, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    async with servers(etcd.address(), "a") as (a,):
        await commits(a, 1, 3)
        name = a.engine._layout.prefix + key.encode()
        good = (await a.engine.client.range(name)).kvs[0].value
        await a.engine.client.put(name, b"junk")
        await a.sees(Renewed)
        assert a.engine.lease_until == 0
        if key == "leader":
            await a.engine.load()
            await a.sees(Renewed, 2)
            await a.engine.client.delete_range(name)
        else:
            with pytest.raises(SettingsError, match="is damaged"):
                await a.engine.load()
            await a.engine.client.put(name, good)
        assert "all rows are read again: etcd under /" in caplog.text
        await a.engine.load()
        await a.sees(Elected(a.me), 2)
        await commits(a, 4, 4)


async def test_an_index_that_is_deleted_ends_it(etcd: Etcd) -> None:
    async with servers(etcd.address(), "a", "b") as (a, b):
        await commits(a, 1, 3)
        await b.sees(Changed, 3)
        await a.engine.client.delete_range(a.engine._layout.index)
        for server in (a, b):
            await server.sees(Renewed)
            with pytest.raises(SettingsError, match="its index is 0, and this server has seen 3"):
                await server.engine.load()
        with pytest.raises(DeposedError):
            await commits(a, 4, 4)


async def test_who_does_not_follow_does_not_take_the_lead(etcd: Etcd) -> None:
    address = etcd.address()
    engine = EtcdEngine(read_address(address))
    b = await Server(address, "b").start(stands=False)
    await engine.load()
    engine.stand(b.me)
    for _ in range(3):
        engine._campaign.vacant.set()
        await asyncio.sleep(0.05)
    assert b.events == [Elected(None)]
    await engine.close()
    await b.close()


async def test_a_server_that_stands_later_does_not_take_its_dead_process_for_a_leader(
    etcd: Etcd,
) -> None:
    address = etcd.address()
    first = await Server(address, "a").start()
    await first.leads()
    await first.crash()
    second = await Server(address, "a").start(stands=False)
    await second.sees(Elected(second.me))
    second.engine.stand(second.me)
    async with asyncio.timeout(1):
        await second.sees(Elected(second.me), 2)
    assert second.events == [Elected(second.me), Elected(None), Elected(second.me)]
    await second.engine.commit(batch(1, ("kv", "x", "1")))
    await second.close()


async def test_who_has_stood_down_is_not_reported_as_leader_while_its_lease_ends(
    etcd: Etcd,
) -> None:
    async with proxy(etcd) as between:
        a = await Server(etcd.address().replace(str(etcd.port), str(between.port)), "a").start()
        await a.leads()

        async def unsent(lease: int, *, timeout: float | None = None) -> None:
            pass

        a.engine.client.lease_revoke = unsent  # type: ignore[method-assign]
        await a.engine.stand_down()
        between.close_all()
        await asyncio.sleep(0.5)
        assert a.events == [Elected(None), Elected(a.me), Elected(None)]
        await a.close()


async def test_a_commit_is_news_when_all_rows_were_read_while_it_was_made() -> None:
    own = OwnCommits()
    own.reset(IndexMark(4), 10)
    number = own.begin()
    own.reset(IndexMark(4), 10)
    own.done(number, IndexMark(5), 11)
    own.end()
    assert not await own.is_own(11, b"")
    assert own.position == IndexMark(4)
    own.done(own.begin(), IndexMark(6), 12)
    own.end()
    assert await own.is_own(12, b"")

"""`fairlead.engines.etcd` when etcd dies, is full, is cut off, or is not what it should be."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fairlead.engines import Changed, Elected, StoredRow
from fairlead.engines.etcd.address import read_address
from fairlead.engines.etcd.client import Client, check_version
from fairlead.engines.etcd.engine import EtcdEngine
from fairlead.engines.etcd.failures import FullError, RefusedError
from fairlead.errors import DeposedError, SettingsError, UnavailableError
from tests.engines.between import proxy
from tests.etcd import Etcd, Server, batch, servers
from tests.processes import free_port

# etcd's own limits.
PLAIN = ""


@pytest.fixture
def own() -> Iterator[Etcd]:
    """An etcd of the test's own, to be killed."""
    started = Etcd().start()
    yield started
    started.remove()


async def test_a_commit_whose_answer_is_lost_is_made_once(etcd: Etcd) -> None:
    prefix = uuid.uuid4().hex
    async with proxy(etcd) as between:
        address = f"127.0.0.1:{between.port}?prefix={prefix}"
        async with servers(address, "a") as (a,):
            b = await Server(f"{etcd.endpoint}?prefix={prefix}", "b").start(stands=False)
            for index in range(1, 4):
                between.loses_next = True
                await a.engine.commit(batch(index, ("kv", "x", str(index))))
                assert not between.loses_next
            await a.engine.commit(batch(4, ("kv", "x", "4")))
            await b.sees(Changed, 4)
            await asyncio.sleep(0)
            seen = [event for event in b.events if isinstance(event, Changed)]
            assert [change.index for change in seen] == [1, 2, 3, 4]
            assert a.events == [Elected(None), Elected(a.me)]
            await b.close()


async def test_a_leader_that_is_cut_off_gives_up_and_says_so(etcd: Etcd) -> None:
    prefix = uuid.uuid4().hex
    async with proxy(etcd) as between:
        a = await Server(f"127.0.0.1:{between.port}?prefix={prefix}", "a").start()
        await a.leads()
        b = await Server(f"{etcd.endpoint}?prefix={prefix}", "b").start()
        between.cut()
        with pytest.raises(UnavailableError, match="whether the write was made is not known"):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
        assert a.engine.lease_until == 0
        assert a.events[-1] == Elected(None)
        with pytest.raises(DeposedError):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
        await b.leads()
        await b.engine.commit(batch(1, ("kv", "x", "2")))
        between.is_cut = False
        await a.sees(Changed)
        assert a.events[-2:] == [
            Elected(b.me),
            Changed(1, {"kv": 1}, [], [StoredRow("kv", "x", b"2")]),
        ]
        await a.close()
        await b.close()


async def test_an_etcd_that_dies_is_waited_out(own: Etcd) -> None:
    async with servers(own.address(options=PLAIN), "a", "b") as (a, b):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        own.kill()
        await a.sees(Elected(None), 2)
        await b.sees(Elected(None), 1)
        with pytest.raises(UnavailableError):
            await a.engine.barrier()
        with pytest.raises(UnavailableError):
            await a.engine.commit(batch(2, ("kv", "x", "2")))
        await asyncio.to_thread(own.start)
        leader = await first_to_lead(a, b)
        await leader.engine.commit(batch(2, ("kv", "x", "3")))
        other = b if leader is a else a
        await other.sees(Changed, 2 if other is b else 1)


async def first_to_lead(*among: Server) -> Server:
    """Whoever leads, or goes on leading."""
    async with asyncio.timeout(30):
        while True:
            for server in among:
                if server.engine.lease_until > time.monotonic():
                    return await server.leads()
            await asyncio.sleep(0.01)


async def test_a_server_starts_before_its_etcd_and_says_what_it_waits_for(
    own: Etcd, caplog: pytest.LogCaptureFixture
) -> None:
    own.kill()
    server = Server(own.address(options=PLAIN), "a")
    with caplog.at_level(logging.WARNING):
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(0.2)
    assert f"waiting for etcd at {own.endpoint}: cannot reach etcd" in caplog.text
    await asyncio.to_thread(own.start)
    await starting
    await server.leads()
    await server.close()


async def test_waiting_for_an_etcd_ends_at_once_when_the_agent_stops() -> None:
    engine = EtcdEngine(read_address(f"127.0.0.1:{free_port()}"))
    loading = asyncio.create_task(engine.load())
    await asyncio.sleep(0.05)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    await engine.close()


async def test_the_other_addresses_are_tried(etcd: Etcd) -> None:
    address = f"127.0.0.1:{free_port()},{etcd.address()}"
    async with servers(address, "a") as (a,):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        assert a.engine.client.place == etcd.endpoint


async def test_a_full_etcd_refuses_writes_and_the_lead_is_kept() -> None:
    etcd = Etcd("--quota-backend-bytes=1000000").start()
    client = etcd.client()
    try:
        async with servers(etcd.address(options=PLAIN), "a") as (a,):
            made = 1
            with suppress(FullError):
                while made < 500:
                    await a.engine.commit(batch(made, ("kv", "x", "v" * 100_000)))
                    made += 1
            index = (await a.engine.load()).index
            assert index == made - 1, "what was refused was not made"
            with pytest.raises(FullError, match=r"etcd is full: .*compact and defragment"):
                await a.engine.commit(batch(made, ("kv", "x", "2")))
            assert a.events[-1] == Elected(a.me)
            await a.engine.barrier()
            await client.compact((await client.range(b"x")).header.revision)
            await client.defragment()
            for alarm in await client.alarms():
                await client.disarm(alarm.memberID, alarm.alarm)
            await a.engine.commit(batch(made, ("kv", "x", "2")))
            assert a.events[-1] == Elected(a.me)
    finally:
        await client.close()
        etcd.remove()


async def test_etcds_own_limits_are_kept_to(own: Etcd) -> None:
    async with servers(own.address(options=PLAIN), "a", "b") as (a, b):
        many = [("kv", f"{number:04d}", "v" * 3000) for number in range(1000)]
        await a.engine.commit(batch(1, *many))
        await b.sees(Changed)
        assert len(b.events[-1].puts) == 1000  # type: ignore[union-attr]
        with pytest.raises(RefusedError, match="raise its --max-request-bytes"):
            await a.engine.commit(batch(2, ("kv", "x", "v" * 1_600_000)))
        with pytest.raises(RefusedError, match="raise its --max-request-bytes"):
            await a.engine.commit(batch(2, *many, ("kv", "x", "v" * 1_600_000)))
        await a.engine.commit(batch(2, ("kv", "x", "v" * 1_500_000)))
        await a.engine.commit(batch(3, *many, ("kv", "x", "w" * 1_500_000)))
        assert len(list((await b.engine.load()).rows)) == 1001


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        *[(version, True) for version in "3.4.23 3.4.40 3.5.16 3.6.0 3.6.0-rc.1 4.0.0".split()],
        *[(version, False) for version in "3.3.25 3.4.22 3.5.0 3.5.15 3.5 unknown".split()],
    ],
)
def test_versions_that_lose_events_are_refused(version: str, fits: bool) -> None:
    if fits:
        check_version(version, "here")
        return
    with pytest.raises(SettingsError, match=f"etcd at here is version {version}") as caught:
        check_version(version, "here")
    assert "install etcd 3.4.23" in caught.value.hint


async def test_two_clusters_at_one_prefix_are_refused(etcd: Etcd, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "sub" / "theirs"
    address = etcd.address()
    async with servers(f"{address}&datacenter=dc1&cluster_file={ours}", "a"):
        other = EtcdEngine(read_address(f"{address}&datacenter=dc2"))
        with pytest.raises(SettingsError, match='keeps the rows of datacenter "dc1"'):
            await other.load()
        await other.close()
        joins = EtcdEngine(read_address(f"{address}&datacenter=dc1&cluster_file={theirs}"))
        await joins.load()
        await joins.close()
        assert theirs.read_text() == ours.read_text() != ""
        theirs.write_text("another\n")
        older = EtcdEngine(read_address(f"{address}&datacenter=dc1&cluster_file={theirs}"))
        with pytest.raises(SettingsError, match=r"rows of another cluster .* \(another\)"):
            await older.load()
        await older.close()


async def test_rows_of_a_newer_format_are_refused(etcd: Etcd) -> None:
    engine = EtcdEngine(read_address(etcd.address()))
    mark = b'{"Format":2,"Datacenter":"dc1","ID":"x"}'
    await engine.client.put(engine._layout.cluster, mark)
    with pytest.raises(SettingsError, match="written by a newer Fairlead"):
        await engine.load()
    await engine.client.put(engine._layout.cluster, b"junk")
    with pytest.raises(SettingsError, match="is damaged"):
        await engine.load()
    await engine.close()


async def test_an_index_that_somebody_else_wrote_ends_the_lead_and_nothing_is_lost(
    etcd: Etcd,
) -> None:
    async with servers(etcd.address(), "a") as (a,):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        own = a.engine._own
        own.revision -= 1
        with pytest.raises(DeposedError, match="somebody else"):
            await a.engine.commit(batch(2, ("kv", "x", "2")))
        assert (await a.engine.load()).index == 1


async def test_users_and_their_passwords(own: Etcd, tmp_path: Path) -> None:
    for command in ("user add root:secret", "user grant-role root root", "auth enable"):
        await asyncio.to_thread(own.ctl, *command.split())
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("secret\n")
    bad.write_text("wrong")
    for options, sentence in (
        (f"user=root&password_file={bad}", "does not accept the user and password"),
        ("", "wants a user"),
    ):
        engine = EtcdEngine(read_address(own.address(options=options)))
        with pytest.raises(SettingsError, match=sentence):
            await engine.load()
        await engine.close()
    options = f"user=root&password_file={good}"
    async with servers(own.address(options=options), "a") as (a,):
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        # As if it had run out.
        a.engine.client._channels._token = "gone.1"
        await a.engine.commit(batch(2, ("kv", "x", "2")))


def certificate(folder: Path, *, days: int = 1, name: str = "etcd") -> tuple[Path, Path]:
    """A self-signed one for 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=10))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / f"{name}.pem", folder / f"{name}.key"
    cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, private


async def test_tls_both_ways(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    stranger, _ = certificate(tmp_path, name="stranger")
    flags = [f"--cert-file={cert}", f"--key-file={key}"]
    etcd = Etcd(*flags, f"--trusted-ca-file={cert}", "--client-cert-auth", scheme="https").start()
    try:
        options = f"ca_file={cert}&cert_file={cert}&key_file={key}"
        async with servers(etcd.address(options=options), "a") as (a,):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
        for options, sentence in (
            (f"ca_file={stranger}", "is not to be trusted"),
            (f"ca_file={cert}", "etcd at"),
            ("", "etcd at"),
        ):
            client = Client(read_address(etcd.address(options=options)), timeout=2)
            with pytest.raises(UnavailableError, match=sentence):
                await client.status()
            await client.close()
    finally:
        etcd.remove()


async def test_an_expired_certificate_is_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, days=-1)
    etcd = Etcd(f"--cert-file={cert}", f"--key-file={key}", scheme="https").start()
    client = Client(read_address(etcd.address(options=f"ca_file={cert}")))
    try:
        with pytest.raises(UnavailableError, match=r"has expired: renew it, or set this machine"):
            await client.status()
    finally:
        await client.close()
        etcd.remove()


async def test_a_socket_is_an_address_too() -> None:
    etcd = Etcd(socket="client.sock:1").start()
    try:
        assert etcd.endpoint.startswith("unix:/")
        async with servers(etcd.address(options=PLAIN), "a") as (a,):
            await a.engine.commit(batch(1, ("kv", "x", "1")))
    finally:
        etcd.remove()


async def test_a_member_without_the_others_is_read_and_says_that_nobody_leads() -> None:
    members = cluster(3)
    try:
        prefix = "?prefix=x"
        places = ",".join(member.endpoint for member in members)
        a = await Server(places + prefix, "a").start()
        await a.leads()
        b = await Server(members[2].endpoint + prefix, "b").start()
        await a.engine.commit(batch(1, ("kv", "x", "1")))
        await b.sees(Changed)
        members[0].kill()
        await a.engine.commit(batch(2, ("kv", "x", "2")))
        await b.sees(Changed, 2)
        members[1].kill()
        await b.sees(Elected(None), 1)
        late = Server(members[2].endpoint + prefix, "late")
        assert (await late.engine.load()).index == 2
        await asyncio.to_thread(members[0].start)
        leader = await first_to_lead(a, b)
        await leader.engine.commit(batch(3, ("kv", "x", "3")))
        for server in (a, b, late):
            await server.close()
    finally:
        for member in members:
            member.remove()


def cluster(size: int) -> list[Etcd]:
    members = [Etcd(name=f"m{number}") for number in range(size)]
    everyone = ",".join(member.as_peer for member in members)
    for member in members:
        member.flags.append(f"--initial-cluster={everyone}")
    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(Etcd.start, members))

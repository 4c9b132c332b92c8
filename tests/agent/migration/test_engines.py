"""Moving a state between engines that no server uses."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.agent.migration.migrate import Report, migrate
from fairlead.core.state import RESTORED
from fairlead.data_dir import locked
from fairlead.engines import Elected, Leader, SharedEngine, open_engine
from fairlead.errors import ConflictError, FairleadError, InvalidError, UnavailableError
from tests.agent.migration.states import KEYS, contents, database, no_client, rows_in
from tests.etcd import Etcd
from tests.processes import free_port

pytestmark = pytest.mark.xdist_group("migration")


@pytest.fixture(scope="module")
def etcd() -> Iterator[Etcd]:
    one = Etcd().start()
    yield one
    one.remove()


def move(source: object, target: object, *, force: bool = False) -> Report:
    said: list[tuple[str, int]] = []
    report = asyncio.run(
        migrate(
            str(source),
            str(target),
            force=force,
            connect=no_client,
            progress=lambda what, rows: said.append((what, rows)),
        )
    )
    assert max(rows for what, rows in said if what == "writing") >= report.total.source.rows
    return report


def test_a_data_directory_is_moved_into_an_etcd_and_back(tmp_path: Path, etcd: Etcd) -> None:
    one = database(tmp_path / "one")
    there = f"etcd:{etcd.endpoint}?prefix=/forth"
    report = move(one, there)
    assert report.equal
    assert report.tables["kv"].source.rows == KEYS
    assert report.tables["kv"].source == report.tables["kv"].target
    move(there, tmp_path / "two")
    index, rows = rows_in(f"sqlite:{tmp_path}/two/fairlead.db")
    before_index, before = rows_in(f"sqlite:{one}/fairlead.db")
    assert index == before_index
    # The servers themselves are not part of it.
    assert before.keys() - rows.keys() == {("members", "s1")}
    assert rows == {name: before[name] for name in rows}


def test_the_index_of_each_table_goes_along_where_the_engine_keeps_it(
    tmp_path: Path, etcd: Etcd
) -> None:
    there = f"etcd:{etcd.endpoint}?prefix=/tables"
    move(database(tmp_path / "one"), f"{there}-1")

    async def tables() -> dict[str, int]:
        engine = open_engine(f"{there}-1")
        found = await engine.load()
        await engine.close()
        return found.tables

    assert asyncio.run(tables())["kv"] == 5000
    move(f"{there}-1", f"{there}-2")
    assert asyncio.run(tables())["kv"] == 5000


def test_a_snapshot_is_moved_into_an_engine_and_an_engine_into_a_snapshot(tmp_path: Path) -> None:
    one = database(tmp_path / "one")
    file = tmp_path / "state.snap"
    move(one, file)
    assert file.stat().st_mode & 0o777 == 0o600
    report = move(file, f"sqlite:{tmp_path}/two.db")
    assert report.total.source.rows == KEYS + 3
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock",
        "one",
        "state.snap",
        "two.db",
    ]


def test_a_target_that_holds_something_is_left_alone_without_force(tmp_path: Path) -> None:
    one = database(tmp_path / "one")
    two = database(tmp_path / "two", contents(keys=5, index=9000))
    with pytest.raises(ConflictError, match=r"is not empty: it holds rows \(5 of kv, 1 of members"):
        move(one, two)
    assert rows_in(f"sqlite:{two}/fairlead.db")[0] == 9000
    move(one, two, force=True)
    index, rows = rows_in(f"sqlite:{two}/fairlead.db")
    assert index == 9001
    assert ("marks", RESTORED) in rows
    assert sum(table == "kv" for table, _ in rows) == KEYS


def test_a_server_alone_counts_as_empty(tmp_path: Path) -> None:
    two = tmp_path / "two"
    alone = [row for row in contents(keys=0).rows if row.key != "c1"]
    database(two, contents(keys=0, index=7).__class__(7, alone))
    assert move(database(tmp_path / "one"), two).target.index == 5001


def test_a_snapshot_is_not_written_over_without_force(tmp_path: Path) -> None:
    one = database(tmp_path / "one")
    move(one, tmp_path / "a.snap")
    with pytest.raises(ConflictError, match="is not empty"):
        move(one, tmp_path / "a.snap")


@pytest.mark.parametrize("held", ["source", "target"])
def test_a_directory_in_use_is_refused(tmp_path: Path, held: str) -> None:
    one, two = database(tmp_path / "one"), tmp_path / "two"
    busy = one if held == "source" else two
    with locked(busy), pytest.raises(ConflictError, match="is in use by another process") as caught:
        move(one, two)
    assert "HTTP address" in caught.value.hint
    assert not (two / "fairlead.db").exists()


@pytest.mark.parametrize("is_source", [True, False])
def test_an_etcd_that_a_server_leads_on_is_refused(
    tmp_path: Path, etcd: Etcd, is_source: bool
) -> None:
    there = f"etcd:{etcd.endpoint}?prefix=/led-{is_source}&datacenter=dc1"
    one = database(tmp_path / "one")
    if is_source:
        move(one, there)

    async def scenario() -> None:
        engine = open_engine(there)
        assert isinstance(engine, SharedEngine)
        me = Leader("s1", "id", "10.0.0.1:8300")
        await engine.load()
        engine.stand(me)
        async for event in engine.feed():
            if event == Elected(me):
                break
        places = (there, str(tmp_path / "two")) if is_source else (str(one), there)
        try:
            with pytest.raises(ConflictError, match=r"server s1 \(10.0.0.1:8300\) leads there"):
                await migrate(*places, force=True, connect=no_client, progress=lambda *_: None)
        finally:
            await engine.close()

    asyncio.run(scenario())
    assert not (tmp_path / "two").exists()


def test_a_source_with_nothing_in_it_is_refused_and_the_target_not_made(
    tmp_path: Path, etcd: Etcd
) -> None:
    with pytest.raises(InvalidError, match="holds nothing"):
        move(f"etcd:{etcd.endpoint}?prefix=/nothing", tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_an_etcd_that_is_not_there_is_not_waited_for_without_end(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no answer in 10 s"):
        move(database(tmp_path / "one"), f"etcd:127.0.0.1:{free_port()}")


def test_a_row_that_the_target_cannot_take_leaves_it_empty(tmp_path: Path, etcd: Etcd) -> None:
    state = contents(keys=5)
    long = next(iter(contents(keys=1).rows))
    assert isinstance(long.text, bytes)
    text = long.text.replace(b'"djA="', b'"' + b"A" * 2_000_000 + b'"')
    rows = [*state.rows]
    rows[0] = long._replace(text=text)
    one = database(tmp_path / "one", state.__class__(state.index, rows))
    there = f"etcd:{etcd.endpoint}?prefix=/long"
    with pytest.raises(FairleadError, match="k/00000"):
        move(one, there)
    assert rows_in(there) == (0, {})


def test_a_target_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    one = database(tmp_path / "one")
    with sqlite3.connect(one / "fairlead.db") as db:
        db.execute("UPDATE rows SET row = '{}' WHERE key = 'k/00017'")
    db.close()
    with pytest.raises(InvalidError, match=r"cannot read sqlite .*k/00017"):
        move(one, tmp_path / "two")
    assert not (tmp_path / "two").exists()


def test_a_newer_or_foreign_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"hello")
    with pytest.raises(InvalidError, match="neither a snapshot nor a database"):
        move(tmp_path / "x.db", tmp_path / "two")
    sqlite3.connect(tmp_path / "y.db").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(FairleadError, match="not a file of Fairlead's"):
        move(f"sqlite:{tmp_path}/y.db", tmp_path / "two")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "names no place"),
        ("memory:", "keeps nothing"),
        ("etcd:", "names no place"),
        ("sqlite: ", "names no place"),
        ("nowhere", "there is nothing"),
        ("sqlite:nowhere.db", "there is nothing"),
        ("snapshot:nowhere", "there is nothing"),
        ("etcd:h:1?x=1", 'option "x" is not known'),
        ("a\0b", "names no place"),
    ],
)
def test_what_is_no_source_is_refused_with_a_sentence(
    tmp_path: Path, source: str, words: str
) -> None:
    with pytest.raises(FairleadError, match=words):
        move(source, tmp_path / "two")


def test_one_of_several_servers_is_not_a_place(tmp_path: Path) -> None:
    (tmp_path / "s1" / "etcd").mkdir(parents=True)
    (tmp_path / "s1" / "etcd" / "cluster.json").write_text("{}")
    with pytest.raises(InvalidError, match="one of several servers") as caught:
        move(tmp_path / "s1", tmp_path / "two")
    assert "HTTP address" in caught.value.hint


def test_a_place_is_not_moved_onto_itself(tmp_path: Path) -> None:
    one = database(tmp_path / "one")
    with pytest.raises(InvalidError, match="the same place"):
        move(one, f"sqlite:{tmp_path}/./one/fairlead.db", force=True)


def test_rows_of_another_datacenter_do_not_get_into_an_etcd(tmp_path: Path, etcd: Etcd) -> None:
    there = f"etcd:{etcd.endpoint}?prefix=/other&datacenter=dc2"
    put_first = database(tmp_path / "one")
    move(put_first, there)
    with pytest.raises(FairleadError, match='datacenter "dc2"'):
        move(put_first, f"etcd:{etcd.endpoint}?prefix=/other", force=True)

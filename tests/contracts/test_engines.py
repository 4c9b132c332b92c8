"""What every engine keeps, and those that last keep over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead.engines import (
    ENGINES,
    Batch,
    Contents,
    Elected,
    Engine,
    Leader,
    StoredRow,
    open_engine,
)
from fairlead.engines.etcd.engine import EtcdEngine
from fairlead.errors import SettingsError
from tests.etcd import LIMITS, Etcd

Rows = dict[tuple[str, str], str]

ADDRESSES = {
    "memory": "memory:",
    "sqlite": "sqlite:{folder}/fairlead.db",
    "etcd": "etcd:{etcd}?prefix={folder}&{limits}",
}
LASTING = ["sqlite", "etcd"]
SHARED = ["etcd"]
ME = Leader("one", "id", "one:8300")


class Opener:
    """Opens engines in one folder or under one prefix, those that several share as their leader."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request

    @property
    def etcd(self) -> str:
        started: Etcd = self._request.getfixturevalue("etcd")
        return started.endpoint

    def address(self, name: str, folder: Path) -> str:
        endpoint = self.etcd if name in SHARED else ""
        return ADDRESSES[name].format(folder=folder, etcd=endpoint, limits=LIMITS)

    async def __call__(self, name: str, folder: Path, address: str = "") -> Engine:
        engine = open_engine(address or self.address(name, folder))
        if name in SHARED:
            assert isinstance(engine, EtcdEngine)
            await engine.load()
            engine.stand(ME)
            async for event in engine.feed():
                if event == Elected(ME):
                    break
        return engine


@pytest.fixture(scope="session")
def opened(request: pytest.FixtureRequest) -> Opener:
    return Opener(request)


def put(index: int, *rows: tuple[str, str, str]) -> Batch:
    return Batch(index, (), (), [StoredRow(*row) for row in rows])


async def held(engine: Engine) -> tuple[int, Rows]:
    contents = await engine.load()
    rows = [
        (table, key, text if isinstance(text, str) else text.decode())
        for table, key, text in contents.rows
    ]
    assert rows == sorted(rows), "rows come in order of table and key"
    return contents.index, {(table, key): text for table, key, text in rows}


def test_every_engine_is_under_this_contract() -> None:
    assert set(ADDRESSES) == set(ENGINES)


@pytest.mark.parametrize("name", ADDRESSES)
async def test_a_new_engine_is_empty_and_takes_batches(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    assert await held(engine) == (0, {})
    await engine.commit(put(1, ("kv", "a", '{"Key":"a"}')))
    await engine.commit(Batch(2, [("kv", "a")], [("kv", "b")], []))
    await engine.replace(Contents(9, [StoredRow("kv", "c", b"{}")]))
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_what_is_committed_is_there_after_a_restart(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    await engine.commit(put(1, ("kv", "a", "1"), ("sessions", "s", "2")))
    await engine.commit(put(2, ("kv", "a", "3")))
    await engine.close()
    engine = await opened(name, tmp_path)
    assert await held(engine) == (2, {("kv", "a"): "3", ("sessions", "s"): "2"})
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_prefixes_go_first_then_single_rows_then_new_ones_come(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    keys = ["p", "p/", "p/a", "p/b/c", "pq", "q", "z"]
    await engine.commit(put(1, *[("kv", key, "1") for key in keys], ("other", "p/a", "1")))
    new = [StoredRow("kv", "p/b", b"2")]
    await engine.commit(Batch(2, [("kv", "p/")], [("kv", "q"), ("kv", "unknown")], new))
    expected = {("kv", key): "1" for key in ("p", "pq", "z")}
    assert await held(engine) == (2, expected | {("kv", "p/b"): "2", ("other", "p/a"): "1"})
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_the_empty_prefix_is_the_whole_table(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    await engine.commit(put(1, ("kv", "a", "1"), ("kv", "\U0010ffff", "1"), ("other", "a", "1")))
    await engine.commit(Batch(2, [("kv", "")], [], []))
    assert await held(engine) == (2, {("other", "a"): "1"})
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_any_text_is_kept_as_it_is(name: str, tmp_path: Path, opened: Opener) -> None:
    engine = await opened(name, tmp_path)
    texts = [
        "",
        " ",
        "é日本🚀",
        "\ud7ff\ue000",
        'quo"te\\',
        "line\nbreak\ttab",
        "'; DROP TABLE rows",
        "x" * 700_000,
    ]
    await engine.commit(put(1, *[("kv", f"{text[:9]}k", text) for text in texts]))
    await engine.close()
    engine = await opened(name, tmp_path)
    _, rows = await held(engine)
    assert rows == {("kv", f"{text[:9]}k"): text for text in texts}
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_a_batch_may_be_large(name: str, tmp_path: Path, opened: Opener) -> None:
    engine = await opened(name, tmp_path)
    large = {f"large/{number}": f"{number}" * 1_000_000 for number in range(40)}
    await engine.commit(put(1, *[("kv", key, text) for key, text in large.items()]))
    assert await held(engine) == (1, {("kv", key): text for key, text in large.items()})
    await engine.commit(Batch(2, (), [("kv", key) for key in large], []))
    assert await held(engine) == (2, {})
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_replacing_leaves_nothing_of_what_was_there(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    await engine.commit(put(5, ("kv", "old", "1")))
    await engine.replace(Contents(7, [StoredRow("kv", "new", "2"), StoredRow("x", "y", b"3")]))
    await engine.close()
    engine = await opened(name, tmp_path)
    assert await held(engine) == (7, {("kv", "new"): "2", ("x", "y"): "3"})
    await engine.close()


@pytest.mark.parametrize("name", LASTING)
async def test_replacing_by_what_cannot_be_read_changes_nothing(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    await engine.commit(put(5, ("kv", "old", "1")))

    def broken() -> object:
        yield StoredRow("kv", "new", "2")
        raise ValueError("the source broke")

    with pytest.raises(ValueError, match="the source broke"):
        await engine.replace(Contents(7, broken()))  # type: ignore[arg-type]
    assert await held(engine) == (5, {("kv", "old"): "1"})
    await engine.commit(put(6, ("kv", "goes on", "1")))
    await engine.close()


@pytest.mark.parametrize("name", sorted(set(LASTING) - set(SHARED)))
async def test_a_second_process_is_kept_out_until_the_first_is_gone(
    name: str, tmp_path: Path, opened: Opener
) -> None:
    engine = await opened(name, tmp_path)
    with pytest.raises(SettingsError, match="is in use by another process"):
        open_engine(opened.address(name, tmp_path))
    await engine.close()
    await (await opened(name, tmp_path)).close()


@pytest.mark.parametrize("rest", ["", "/", ".", "//", "a\0b", "\ud800"])
def test_an_address_that_names_no_file_is_refused(rest: str) -> None:
    with pytest.raises(SettingsError, match="names no file"):
        open_engine(f"sqlite:{rest}")


async def test_every_name_is_that_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself keeps `:memory:` nowhere."""
    monkeypatch.chdir(tmp_path)
    engine = open_engine("sqlite::memory:")
    await engine.commit(put(1, ("kv", "a", "1")))
    await engine.close()
    engine = open_engine(f"sqlite:{tmp_path}/:memory:")
    assert await held(engine) == (1, {("kv", "a"): "1"})
    await engine.close()


_keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
_changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _keys, st.text(st.sampled_from('ab"\\é'), max_size=3)),
        st.tuples(st.just("delete"), _keys, st.just("")),
        st.tuples(st.just("prefix"), _keys, st.just("")),
    ),
    max_size=8,
)


@pytest.mark.parametrize("name", LASTING)
@given(batches=st.lists(_changes, max_size=6))
@settings(max_examples=60, deadline=None)
async def test_batches_do_what_a_dictionary_does(
    name: str,
    batches: list[list[tuple[str, str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
    opened: Opener,
) -> None:
    engine = await opened(name, tmp_path_factory.mktemp("engine"))
    expected: Rows = {}
    for index, changes in enumerate(batches, 1):
        prefixes = [key for kind, key, _ in changes if kind == "prefix"]
        puts = {key: text for kind, key, text in changes if kind == "put"}
        deletes = {key for kind, key, _ in changes if kind == "delete"} - set(puts)
        expected = {
            (table, key): text
            for (table, key), text in expected.items()
            if key not in deletes and not any(key.startswith(prefix) for prefix in prefixes)
        }
        expected |= {("kv", key): text for key, text in puts.items()}
        await engine.commit(
            Batch(
                index,
                [("kv", prefix) for prefix in prefixes],
                [("kv", key) for key in deletes],
                [StoredRow("kv", key, text) for key, text in puts.items()],
            )
        )
    assert await held(engine) == (len(batches), expected)
    await engine.close()


_values = st.text(st.sampled_from("ab"), max_size=3) | st.just("v" * 30_000)
_many = st.dictionaries(st.text("abc", max_size=3), _values, max_size=60)


@given(batches=st.lists(st.tuples(_many, st.text("abc", max_size=1)), max_size=5))
@settings(max_examples=25, deadline=None)
async def test_engines_hold_the_same_rows_however_batches_are_split(
    batches: list[tuple[dict[str, str], str]],
    tmp_path_factory: pytest.TempPathFactory,
    opened: Opener,
) -> None:
    """etcd is told of limits so small that most of these batches are intents."""
    folder = tmp_path_factory.mktemp("engine")
    tight = f"etcd:{opened.etcd}?prefix={folder}&max_txn_ops=16&max_request_bytes=65536"
    engines = [await opened("sqlite", folder), await opened("etcd", folder, tight)]
    for index, (puts, prefix) in enumerate(batches, 1):
        for engine in engines:
            await engine.commit(
                Batch(
                    index, [("kv", prefix)], [], [StoredRow("kv", *pair) for pair in puts.items()]
                )
            )
        assert await held(engines[0]) == await held(engines[1])
    for engine in engines:
        await engine.close()

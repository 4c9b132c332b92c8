"""Random histories through the whole store, batches and restarts included, and a simple model."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fairlead.core import kv
from fairlead.core.commands import (
    Command,
    KVDelete,
    KVDeleteTree,
    KVLock,
    KVOp,
    KVSet,
    KVUnlock,
    SessionDestroy,
    Txn,
)
from fairlead.core.txn import TxnOutcome
from fairlead.durations import SECOND_NS
from fairlead.engines import open_engine
from fairlead.errors import InvalidError
from fairlead.store import Store
from tests.core.deciding import node_rows, session
from tests.core.model import Model, Refused

T = TypeVar("T")

PREFIXES = ["", "a", "a/", "a/b", "b", "b/"]
KEYS = ["a", "a/", "a/b", "a/b/c", "b", "b/é"]
SESSIONS = ["s1", "s2", "s3"]
VERBS = [
    "set",
    "cas",
    "get",
    "check-index",
    "check-not-exists",
    "check-session",
    "delete",
    "delete-cas",
    "delete-tree",
    "lock",
    "unlock",
]

keys = st.sampled_from(KEYS)
names = st.sampled_from(SESSIONS)
values = st.sampled_from([None, b"1", b"2"])
flags = st.integers(0, 1)
# Where a compare-and-swap aims: at nothing, at the key as it stands, or beside it.
aims = st.sampled_from(["none", "zero", "right", "wrong"])
operations = st.tuples(st.sampled_from(VERBS), keys, values, flags, aims, names)

# A command before it is made: the indexes it aims at are known when it is submitted.
plans = st.one_of(
    st.tuples(st.just("set"), keys, values, flags, aims),
    st.tuples(st.just("delete"), keys, aims),
    st.tuples(st.just("delete_tree"), st.sampled_from(PREFIXES)),
    st.tuples(st.just("create"), names, st.sampled_from(["release", "delete"]), st.booleans()),
    st.tuples(st.just("destroy"), names),
    st.tuples(st.just("lock"), keys, values, flags, names),
    st.tuples(st.just("unlock"), keys, values, flags, st.sampled_from([*SESSIONS, ""])),
    # Short ones, for one operation that fails undoes all.
    st.tuples(st.just("txn"), st.lists(operations, max_size=3)),
)


class Histories(RuleBasedStateMachine):
    """The store must answer as the model does, and hold what it holds."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.mkdtemp()
        self.now_ns = 0
        self.model = Model()
        self.named: dict[str, str] = {}
        self.highest = 0
        self.ids = 0

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(coroutine)

    @initialize(engine=st.sampled_from(["memory:", "sqlite"]))
    def start(self, engine: str) -> None:
        self.engine = engine if engine == "memory:" else f"sqlite:{self.folder}/fairlead.db"
        self.store = Store(open_engine(self.engine))
        self.do(self.store.open())
        self.do(self._submit([node_rows()]))
        self.model.index = self.store.state.index

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.do(self.store.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    async def _submit(self, commands: list[Command]) -> list[Any]:
        futures = [self.store.submit(command) for command in commands]
        return list(await asyncio.gather(*futures, return_exceptions=True))

    # ---------------------------------------------------------------- commands, in batches

    @rule(batch=st.lists(plans, min_size=1, max_size=6))
    def submit(self, batch: list[tuple[Any, ...]]) -> None:
        """Submit several commands at once: they share a batch, and each sees those before it."""
        commands = [command for plan in batch if (command := self.made(*plan)) is not None]
        answers = self.do(self._submit(commands))
        for command, answer in zip(commands, answers, strict=True):
            try:
                expected = self.model.play(command)
            except Refused:
                assert isinstance(answer, InvalidError), (command, answer)
                continue
            if isinstance(answer, TxnOutcome):
                answer = [error.op_index for error in answer.errors] or "done"
            assert answer == expected, command

    def made(self, kind: str, *arguments: Any) -> Command | None:
        match kind, arguments:
            case "set", (key, value, flags, aim):
                return KVSet(key, value, flags, self.aim(key, aim))
            case "delete", (key, aim):
                return KVDelete(key, self.aim(key, aim))
            case "delete_tree", (prefix,):
                return KVDeleteTree(prefix)
            case "create", (name, behavior, delayed):
                self.ids += 1
                self.named[name] = f"{name}-{self.ids}"
                delay_ns = 10 * SECOND_NS if delayed else 0
                return session(self.named[name], behavior=behavior, lock_delay=delay_ns)
            case "destroy", (name,):
                return SessionDestroy(self.id_of(name), self.now_ns)
            case "lock", (key, value, flags, name):
                return KVLock(key, value, flags, self.id_of(name), self.now_ns)
            case "unlock", (key, value, flags, name):
                return KVUnlock(key, value, flags, name and self.id_of(name))
            case "txn", (operations,):
                return Txn([self.operation(*operation) for operation in operations], self.now_ns)
        raise AssertionError(kind)

    def operation(
        self, verb: str, key: str, value: bytes | None, flags: int, aim: str, name: str
    ) -> KVOp:
        return KVOp(verb, key, value, flags, self.aim(key, aim) or 0, self.id_of(name))

    def id_of(self, name: str) -> str:
        """The session last made under that name, dead or alive, or one that never was."""
        return self.named.get(name, name)

    def aim(self, key: str, aim: str) -> int | None:
        row = self.model.keys.get(key)
        right = row.modified if row is not None else 0
        return {"none": None, "zero": 0, "right": right, "wrong": right + 1}[aim]

    # ---------------------------------------------------------------- time and restarts

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.now_ns += seconds * SECOND_NS

    @rule()
    def restart(self) -> None:
        """What was committed, and nothing else, is there again."""
        if self.engine == "memory:":
            return
        self.do(self.store.close())
        self.store = Store(open_engine(self.engine))
        self.do(self.store.open())

    # ---------------------------------------------------------------- what always holds

    @invariant()
    def the_store_holds_what_the_model_holds(self) -> None:
        if not hasattr(self, "store"):
            return
        found = {
            row.key: (row.value, row.flags, row.lock_index, row.session or "")
            for row in self.store.state.kv.rows.values()
        }
        assert found == {
            key: (row.value, row.flags, row.lock_index, row.session)
            for key, row in self.model.keys.items()
        }
        assert set(self.store.state.sessions.rows) == set(self.model.sessions)

    @invariant()
    def indexes_are_those_of_the_model_and_never_go_back(self) -> None:
        if not hasattr(self, "store"):
            return
        state = self.store.state
        assert state.index == self.model.index
        assert state.index >= self.highest
        self.highest = state.index
        for key, row in self.model.keys.items():
            stored = state.kv.rows[key]
            assert (stored.create_index, stored.modify_index) == (row.created, row.modified)

    @invariant()
    def a_prefix_reads_as_its_keys_do(self) -> None:
        if not hasattr(self, "store"):
            return
        for prefix in PREFIXES:
            read = kv.read_prefix(self.store.state, prefix)
            assert [row.key for row in read.value] == sorted(
                key for key in self.model.keys if key.startswith(prefix)
            )
            assert read.index >= max((row.modify_index for row in read.value), default=1)
            assert read.index <= max(self.store.state.index, 1)


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

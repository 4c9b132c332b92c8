"""Nonsense for every route, in one process with the agent: no network, so many more examples."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given

from fairlead.agent.agent import Agent
from fairlead.clock import SystemClock
from fairlead.durations import SECOND_NS
from fairlead.engines import open_engine
from fairlead.http.app import App
from fairlead.http.wire import Connection
from fairlead.settings.settings import Settings
from tests.fuzz.answers import Answer, Asked, check_statuses, read_answers
from tests.fuzz.limits import examples, within
from tests.fuzz.nonsense import GOODBYE, Sent, requests
from tests.fuzz.wires import Admit, Wire

pytestmark = pytest.mark.xdist_group("fuzz-app")

_LIMIT_S = 30.0


class Errors(logging.Handler):
    """Everything that was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


class Desk:
    """An agent on a SQLite file and its app, spoken to over connections without a network."""

    def __init__(self, runner: asyncio.Runner, folder: Path) -> None:
        self._runner = runner
        self._errors = Errors()
        logging.getLogger().addHandler(self._errors)
        runner.get_loop().set_exception_handler(self._unexpected)
        settings = Settings(
            server=True,
            engine=f"sqlite:{folder / 'fairlead.db'}",
            data_dir=str(folder),
            advertise_addr="127.0.0.1",
            node_name="n1",
            default_query_time=SECOND_NS // 100,
            max_query_time=SECOND_NS // 100,
        )
        self.agent = Agent(settings, open_engine(settings.engine), SystemClock())
        runner.run(self.agent.start())
        self.file = folder / "fairlead.db"
        self._app = App(self.agent)

    def close(self) -> None:
        self._runner.run(self.agent.stop())
        logging.getLogger().removeHandler(self._errors)

    def ask(self, sent: Sent) -> list[Answer]:
        """The answers to `sent` and, unless it ended the connection, to a last request."""
        with within(_LIMIT_S):
            written = self._runner.run(self._ask(sent.data + GOODBYE))
        errors, self._errors.lines = self._errors.lines, []
        assert not errors, "\n".join(errors)
        answers = read_answers(written, [sent.asked])
        check_statuses(answers)
        assert len(answers) == 2 or (len(answers) == 1 and answers[0].closes)
        return answers

    async def _ask(self, data: bytes) -> bytes:
        wire = Wire(Connection(self._app, Admit()), 1 << 30)
        wire.feed(data)
        while not (wire.closed or wire.eof):
            await asyncio.sleep(0)
        wire.lose()
        return bytes(wire.written)

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._errors.lines.append(repr(context))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with asyncio.Runner() as runner:
        desk = Desk(runner, tmp_path_factory.mktemp("app"))
        yield desk
        desk.close()


def _text(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode()


def _get(target: bytes, version: bytes = b"1.1") -> Sent:
    head = b"GET %b HTTP/%b\r\n\r\n" % (target, version)
    return Sent(head, Asked(b"GET", version), reads=True)


def _put(target: bytes, body: bytes) -> Sent:
    head = b"PUT %b HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (target, len(body))
    return Sent(head + body, Asked(b"PUT"), reads=False)


@examples(1)
@given(sent=requests())
@example(sent=_get(b"/v1/kv/a?wait=" + b"9" * 5000 + b"s"))
@example(sent=_get(b"/v1/snapshot", b"1.0"))
@example(sent=_put(b"/v1/session/create", b'{"TTL": "%b"}' % (b"9" * 5000 + b"s")))
@example(sent=_put(b"/v1/session/create", b'{"LockDelay": "%b"}' % (b"9" * 5000 + b"s")))
@example(sent=_put(b"/v1/snapshot", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"))
def test_nonsense_is_answered_and_the_next_client_served(desk: Desk, sent: Sent) -> None:
    desk.ask(sent)
    put, _ = desk.ask(_put(b"/v1/kv/alive", b"yes"))
    assert (put.status, put.body) == (200, b"true")


@pytest.mark.parametrize("number", [b"1e19", b"1e300", b"-1e300", b"9223372036854775808"])
def test_no_session_holds_a_number_beyond_64_bits(desk: Desk, number: bytes) -> None:
    """Clients in Go could read none of the sessions any more."""
    desk.ask(_put(b"/v1/session/create", b'{"LockDelay": %b}' % number))
    listed, _ = desk.ask(_get(b"/v1/session/list"))
    delays = [session["LockDelay"] for session in json.loads(listed.body)]
    assert all(-(2**63) <= delay < 2**63 for delay in delays)


def test_after_all_this_what_is_on_disk_is_what_is_in_memory(desk: Desk) -> None:
    contents = desk.agent.store.contents()
    with closing(sqlite3.connect(desk.file)) as db:
        on_disk = set(db.execute("SELECT tbl, key, row FROM rows"))
    in_memory = {(row.table, row.key, _text(row.text)) for row in contents.rows}
    assert on_disk == in_memory | {("meta", "index", str(contents.index))}

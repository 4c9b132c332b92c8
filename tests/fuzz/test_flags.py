"""`fairlead agent` told nonsense: it says what is wrong, exits with 1, and never starts."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairlead.cli.main import main
from fairlead.settings.flags import FLAGS
from tests.fuzz.limits import examples, within
from tests.processes import FAIRLEAD

_LIMIT_S = 10.0
_LOGGED = re.compile(r" {4}\d{4}-\d\d-\d\dT\S+ \[(INFO|WARN)\] ")
_NOT_UTF8 = b"\xff\xfe".decode(errors="surrogateescape")

_WRONG_WORDS = [
    "-nonsense",
    "-dev=maybe",
    "-dev word",
    "-dev -- -dev",
    "-dev -http-port",
    "-dev -http-port=x",
    "-dev -http-port=-2",
    "-dev -http-port=99999",
    "-dev -http-port=" + "9" * 5000,
    "-dev -server=false",
    "-server",
    "-server -data-dir=",
    "-dev -engine=",
    "-dev -bootstrap-expect=3",
    "-dev -config-file=/nowhere.hcl",
    "-dev -config-file=/dev/null",
    "-dev -config-file=/proc/self/mem -config-format=hcl",
    "-dev -config-dir=/nowhere",
    "-dev -hcl={",
    "-dev -hcl=x=1",
    "-dev -hcl=tombstone_ttl=1e999",
    "-dev -node-meta=word",
    "-dev -bind=nowhere",
    "-dev -client=nowhere",
    "-dev -client=unix://",
    "-dev -https-port=8501",
    "-dev -log-level=LOUD",
    "-dev -datacenter=a.b",
    "-dev -default-query-time=soon",
    "-dev -default-query-time=" + "9" * 5000 + "s",
    "-dev -max-query-time=-1s",
    "-dev -allow-write-http-from=nowhere",
]
_WRONG_IN_THIS_WORLD = [
    "-server -data-dir=/dev/null/x",
    "-server -data-dir=/proc/nowhere",
    "-server -data-dir=" + "x" * 5000,
    f"-server -data-dir=FOLDER -http-port=-1 -node={_NOT_UTF8}",
    "-dev -engine=nowhere:",
    "-dev -engine=sqlite:",
    "-dev -engine=sqlite:/",
    "-dev -engine=sqlite:FOLDER",
    "-dev -node-id=word",
    "-dev -client=unix:///nowhere/socket",
    "-dev -client=unix:///" + "x" * 300,
    "-dev -client=192.0.2.1",
    "-dev -http-port=BUSY",
    "-dev -log-file=/proc/nowhere/log",
    "-dev -pid-file=/nowhere/pid",
]


def check_words(output: str) -> None:
    """A line for each thing that is wrong, once, and at most one of what to try."""
    assert "Traceback" not in output, output
    first, *more = output.splitlines()
    assert first.startswith(("==> ", "Error: ")), output
    assert len(first) > len("Error: "), output
    faults = [line for line in more if not line.startswith(("    ", "  ", "See "))]
    assert len(more) - len(faults) <= 1, output
    assert len({first.removeprefix("==> "), *faults}) == 1 + len(faults), output


def run_main(arguments: list[str]) -> str:
    """What `fairlead agent` says in this process; it must leave with status 1."""
    output = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["fairlead", "agent", *arguments]),
        contextlib.redirect_stderr(output),
        contextlib.redirect_stdout(output),
        within(_LIMIT_S),
        pytest.raises(SystemExit) as left,
    ):
        main()
    assert left.value.code == 1
    return output.getvalue()


@pytest.mark.parametrize("words", _WRONG_WORDS, ids=lambda words: repr(words[:50]))
def test_a_wrong_command_line_is_refused_in_a_line(words: str) -> None:
    check_words(run_main(words.split(" ")))


@pytest.mark.parametrize("words", _WRONG_IN_THIS_WORLD, ids=lambda words: repr(words[:50]))
def test_what_cannot_be_opened_or_used_is_refused_in_a_line(words: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        words = words.replace("FOLDER", str(tmp_path)).replace("BUSY", port)
        command = [*FAIRLEAD, "agent", *words.split(" ")]
        done = subprocess.run(command, capture_output=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.decode(errors="replace").splitlines(keepends=True)
    check_words("".join(line for line in lines if not _LOGGED.match(line)))


_VALUES = [
    *"0 1 -1 99999 x true false 1s -5s 1e3 :: 127.0.0.1 a:b a,b , : = {} [] / ~ * é ² ٣".split(),
    "",
    " ",
    "\n",
    "9" * 5000,
    "9" * 5000 + "s",
    _NOT_UTF8,
]
# Without -dev, -data-dir and -engine no agent can start, whatever else is given.
_SAFE = sorted({*FLAGS, "-config-format", "-hcl"} - {"-data-dir", "-engine"})
_flags = st.builds(
    lambda dash, flag, equals, value: (
        [f"{dash}{flag}{equals}{value}"] if equals else [f"{dash}{flag}", value]
    ),
    st.sampled_from(["", "", "-"]),
    st.sampled_from(_SAFE),
    st.sampled_from(["=", "=", ""]),
    st.sampled_from(_VALUES),
)
_junk = st.sampled_from(["-", "--", "-x", "---", "-=", "word", "", "-node=a=b", "-é", _NOT_UTF8])
_arguments = st.lists(_flags | _junk.map(lambda word: [word]), max_size=6).map(
    lambda parts: [word for part in parts for word in part]
)


@examples(0.25)
@given(arguments=_arguments)
@example(arguments=["-retry-interval=" + "9" * 5000 + "s"])
@example(arguments=["-retry-interval=٣s", "-protocol=٣"])
@example(arguments=["-hcl=[" + "[" * 2000])
def test_any_arguments_end_in_words_and_status_1(arguments: list[str]) -> None:
    text = run_main(arguments)
    assert "Traceback" not in text
    assert text.startswith(("==> ", "Error: ")), text

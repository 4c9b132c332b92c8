"""`fairlead.agent.logs`."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.agent.logs import configure_logs
from fairlead.errors import SettingsError
from fairlead.settings.settings import Settings, build


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


def settings(**raw: object) -> Settings:
    return build({"engine": "memory:", "bind_addr": "127.0.0.1", **raw})


def test_lines_look_like_consul_s(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings())
    logging.getLogger("agent.http").warning("something odd: key=%s", "web/key1")
    line = capsys.readouterr().err
    stamp, rest = line[:28], line[28:]
    assert re.fullmatch(r"    \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", stamp)
    assert rest == " [WARN]  agent.http: something odd: key=web/key1\n"


def test_json_lines_carry_consul_s_names(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings(log_json=True))
    try:
        raise ValueError("a bug")
    except ValueError:
        logging.getLogger("agent").exception("failed: é")
    line = json.loads(capsys.readouterr().err)
    assert (line["@level"], line["@message"], line["@module"]) == ("error", "failed: é", "agent")
    assert "ValueError: a bug" in line["error"]


def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings(log_level="warn"))
    logging.getLogger("agent").info("quiet")
    logging.getLogger("agent").error("loud")
    assert "loud" in (text := capsys.readouterr().err)
    assert "quiet" not in text


def test_libraries_do_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(settings(log_level="debug"))
    logging.getLogger("hpack.hpack").debug("Encoding 14 with 7 bits")
    logging.getLogger("agent").debug("ours")
    assert [line.split(": ")[1] for line in capsys.readouterr().err.splitlines()] == ["ours"]


def test_a_log_file_gets_the_same_lines_and_rotates_by_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rotation = {"log_rotate_bytes": 200, "log_rotate_max_files": 2}
    configure_logs(settings(log_file=f"{tmp_path}/logs/", **rotation))
    for number in range(20):
        logging.getLogger("agent").warning("line %d", number)
    assert capsys.readouterr().err.count("\n") == 20
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "fairlead.log",
        "fairlead.log.1",
        "fairlead.log.2",
    ]


def test_a_log_file_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot write log_file"):
        configure_logs(settings(log_file=f"{tmp_path}/file/agent.log"))

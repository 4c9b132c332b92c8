"""`fairlead reload` and watches of the configuration, in a running agent."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.programs import run, wait_until
from tests.processes import fairlead_agent


def configure(folder: Path, key: str) -> None:
    args = ["/bin/sh", "-c", f"cat >> {folder / key}"]
    watch = {"type": "key", "key": key, "args": args}
    (folder / "watches.json").write_text(json.dumps({"watches": [watch]}))


@pytest.mark.parametrize("way", ["reload", "signal"])
def test_watches_change_with_a_reload(tmp_path: Path, way: str) -> None:
    configure(tmp_path, "before")
    flag = f"-config-file={tmp_path / 'watches.json'}"
    agent = fairlead_agent(tmp_path, flag, dev=True).start()
    address = f"127.0.0.1:{agent.port}"
    client = Client(address)
    try:
        wait_until((tmp_path / "before").exists)
        configure(tmp_path, "after")
        if way == "reload":
            done = run(address, "reload")
            assert done == (0, "Configuration reload triggered\n", "")
        else:
            agent.send(signal.SIGHUP)
        wait_until((tmp_path / "after").exists)
        client.put("/v1/kv/after", b"1")
        client.put("/v1/kv/before", b"1")
        wait_until(lambda: "MQ==" in (tmp_path / "after").read_text())
        assert (tmp_path / "before").read_text() == "null\n"
    finally:
        client.close()
        assert agent.stop() == 0


def test_a_faulty_configuration_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    configure(tmp_path, "before")
    flag = f"-config-file={tmp_path / 'watches.json'}"
    agent = fairlead_agent(tmp_path, flag, dev=True).start()
    try:
        wait_until((tmp_path / "before").exists)
        (tmp_path / "watches.json").write_text('{"watches": [{"type": "key"}]}')
        done = run(f"127.0.0.1:{agent.port}", "reload")
        assert done.code == 1
        assert "watches[0]: Must specify a single key to watch" in done.stderr
        client = Client(f"127.0.0.1:{agent.port}")
        client.put("/v1/kv/before", b"1")
        client.close()
        wait_until(lambda: "MQ==" in (tmp_path / "before").read_text())
    finally:
        agent.stop()

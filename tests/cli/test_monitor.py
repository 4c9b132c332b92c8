"""`fairlead monitor` and `fairlead debug`: what an agent logs, and what it is."""

from __future__ import annotations

import json
import select
import signal
import tarfile
from pathlib import Path

from fairlead.cli import debug
from fairlead.client import Client
from tests.cli.conftest import Fairlead
from tests.cli.programs import running, stop
from tests.processes import fairlead_agent


def test_the_log_is_followed_at_any_level(address: str, client: Client, tmp_path: Path) -> None:
    with running(address, "monitor", "-log-level=debug", "-log-json", cwd=tmp_path) as process:
        assert process.stdout is not None
        # It need not listen yet: what is asked until it does is not shown.
        while not select.select([process.stdout], [], [], 0.05)[0]:
            client.get("/v1/status/leader")
        assert json.loads(process.stdout.readline())["@level"] == "debug"
        assert stop(process, signal.SIGINT).code == 130


def test_an_agent_that_ends_ends_the_monitor(tmp_path: Path) -> None:
    agent = fairlead_agent(tmp_path, dev=True).start()
    address = f"127.0.0.1:{agent.port}"
    with running(address, "monitor", "-log-level=debug", cwd=tmp_path) as process:
        assert process.stdout is not None
        client = Client(address)
        while not select.select([process.stdout], [], [], 0.05)[0]:
            client.get("/v1/status/leader")
        client.close()
        agent.stop()
        text, _ = process.communicate(timeout=20)
        assert process.returncode == 1
        assert text.endswith(
            "\nRemote side ended the monitor! This usually means that the\n"
            "remote side has exited or crashed.\n"
        )


def test_a_recording_holds_what_the_agent_is_and_does(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    said: list[str] = []
    debug.record(client, folder, debug.TARGETS, 0.2, 0.1, said.append)
    names = sorted(path.name for path in folder.iterdir() if path.suffix)
    assert names == ["agent.json", "cluster.json", "host.json", "index.json"]
    assert json.loads((folder / "agent.json").read_text())["Config"]["NodeName"] == "n1"
    index = json.loads((folder / "index.json").read_text())
    assert (index["errors"], index["targets"]) == ([], list(debug.TARGETS))
    assert index["captures"] >= 2
    metrics = list(folder.glob("*/metrics.json"))
    assert metrics
    assert "Gauges" in json.loads(metrics[0].read_text())
    assert list(folder.glob("*/consul.log"))


def test_only_what_is_wanted_is_recorded_into_one_archive(
    fairlead: Fairlead, tmp_path: Path
) -> None:
    words = ("-duration=10s", "-interval=5s", "-capture=agent", f"-output={tmp_path / 'out'}")
    done = fairlead("debug", *words)
    assert done.code == 0, done.stderr
    assert done.stdout.endswith(f"Saved debug archive: {tmp_path / 'out'}.tar.gz\n")
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        files = {name for name in archive.getnames() if name.endswith(".json")}
    assert files == {"out/agent.json", "out/index.json"}
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_not_written_over(fairlead: Fairlead, tmp_path: Path) -> None:
    done = fairlead("debug", f"-output={tmp_path}")
    assert done.code == 1
    assert "output directory already exists" in done.stderr

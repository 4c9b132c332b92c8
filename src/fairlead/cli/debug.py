"""`fairlead debug`: record what an agent is and does for a while, as an archive to hand on.

The archive holds `agent.json`, `host.json`, `cluster.json` and `index.json`, and a
folder an interval, named by its second, with `metrics.json` and `consul.log`, as
Consul's does. Secrets are hidden by the agent.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fairlead.cli.api import api_flags
from fairlead.cli.output import aligned, complain, explained, warn
from fairlead.cli.verbs import DURATION, option, switch, verb
from fairlead.client import Client
from fairlead.durations import SECOND_NS, format_duration
from fairlead.errors import FairleadError, InvalidError

__all__ = ["TARGETS", "command", "record"]

TARGETS = ("metrics", "logs", "host", "agent", "cluster")
_NOT_HERE = "pprof"
_LEAST_DURATION_S = 10
_LEAST_INTERVAL_S = 5
_STATIC = {
    "agent": ("agent.json", "/v1/agent/self"),
    "host": ("host.json", "/v1/agent/host"),
    "cluster": ("cluster.json", "/v1/agent/members"),
}


@verb(
    "debug",
    examples="""
fairlead debug
fairlead debug -duration=1m -interval=10s -output=/tmp/slow
fairlead debug -capture=logs -capture=metrics -archive=false
""",
)
@option("-duration", help="How long to record.", type=DURATION, default="2m", metavar="DURATION")
@option(
    "-interval", help="How often to read metrics.", type=DURATION, default="30s", metavar="DURATION"
)
@option("-output", help="Where to, without .tar.gz.", default="", metavar="PATH")
@option("-capture", help=f"{', '.join(TARGETS)}; all by default.", multiple=True, metavar="WHAT")
@switch("-archive", help="Make an archive; =false leaves a folder.", default=True)
@api_flags
def command(
    client: Client,
    duration: int,
    interval: int,
    output: str,
    capture: tuple[str, ...],
    archive: bool,
) -> None:
    """Record an agent: what it is, its host, its cluster, its metrics and its log."""
    targets = _targets(capture)
    folder = Path(output or f"fairlead-debug-{int(time.time())}")
    _check(client, folder, duration / SECOND_NS, interval / SECOND_NS)
    shown = f"{folder}.tar.gz" if archive else f"{folder}/"
    print("==> Starting debugger and capturing static information...")
    rows = [
        ("Interval", format_duration(interval)),
        ("Duration", format_duration(duration)),
        ("Output", shown),
        ("Capture", ", ".join(targets)),
    ]
    print(aligned([(f"{name:>18}:", f"'{value}'") for name, value in rows], 20), flush=True)
    try:
        folder.mkdir(parents=True)
        record(client, folder, targets, duration / SECOND_NS, interval / SECOND_NS, print)
        if archive:
            _archive(folder)
    except OSError as error:
        raise InvalidError(f"cannot write {shown}: {error.strerror or error}") from error
    print(f"Saved debug archive: {shown}")


def _targets(capture: tuple[str, ...]) -> tuple[str, ...]:
    for name in capture:
        if name not in (*TARGETS, _NOT_HERE):
            fault = f"Capture validation failed: target not found: {name}"
            raise click.UsageError(fault, click.get_current_context())
    if _NOT_HERE in capture:
        warn(f"{_NOT_HERE} is of Go's programs, there is none here")
    return tuple(name for name in TARGETS if name in capture or not capture)


def _check(client: Client, folder: Path, duration_s: float, interval_s: float) -> None:
    fault = ""
    if duration_s < _LEAST_DURATION_S:
        fault = "duration must be longer than 10s"
    elif interval_s < _LEAST_INTERVAL_S:
        fault = "interval must be longer than 5s"
    elif folder.exists():
        fault = f"output directory already exists: {folder}"
    if fault:
        raise InvalidError(f"Capture validation failed: {fault}")
    with explained("Capture validation failed: error querying target agent"):
        client.get("/v1/agent/self")


def record(
    client: Client,
    folder: Path,
    targets: tuple[str, ...],
    duration_s: float,
    interval_s: float,
    say: Callable[[str], Any],
) -> None:
    """Fill the folder; Ctrl-C ends it early, with what there is by then."""
    faults = _record_static(client, folder, targets)
    began = time.time()
    log = _Log(client) if "logs" in targets else None
    captures = 0
    try:
        while True:
            started = time.time()
            left_s = duration_s - (started - began)
            say(f"==> Beginning capture interval {_stamp(started)} ({captures})")
            part = folder / str(int(started))
            part.mkdir(exist_ok=True)
            if "metrics" in targets:
                _write(part / "metrics.json", client.get("/v1/agent/metrics").body)
            time.sleep(max(min(interval_s, left_s), 0))
            if log is not None:
                with open(part / "consul.log", "ab") as file:
                    file.write(log.take())
            captures += 1
            say(f"==> Capture successful {_stamp(time.time())} ({captures})")
            if time.time() - began >= duration_s:
                break
    except KeyboardInterrupt:
        say("==> Interrupted: what was recorded is kept")
    except FairleadError as error:
        faults.append(str(error))
        complain(f"recording ended early: {error}")
    about = {
        "agent": client.address.url,
        "interval": f"{interval_s:g}s",
        "duration": f"{duration_s:g}s",
        "targets": list(targets),
        "captures": captures,
        "errors": faults,
    }
    _write(folder / "index.json", json.dumps(about, indent=4).encode())


def _record_static(client: Client, folder: Path, targets: tuple[str, ...]) -> list[str]:
    """What does not change; what could not be had."""
    faults = []
    for target, (name, path) in _STATIC.items():
        if target in targets:
            try:
                value = client.get(path).json()
                _write(folder / name, json.dumps(value, indent=4).encode())
            except FairleadError as error:
                faults.append(f"{target}: {error}")
                complain(f"cannot capture {target}: {error}")
    return faults


class _Log:
    """The agent's log, collected beside everything else."""

    def __init__(self, client: Client) -> None:
        self._lines: list[bytes] = []
        self._client = client.clone()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        try:
            for line in self._client.lines("/v1/agent/monitor", loglevel="DEBUG"):
                self._lines.append(line)
        except FairleadError as error:
            complain(f"cannot capture logs: {error}")

    def take(self) -> bytes:
        """What came since the last time."""
        lines, self._lines = self._lines, []
        return b"".join(lines)


def _archive(folder: Path) -> None:
    target = Path(f"{folder}.tar.gz")
    with tarfile.open(target, "w:gz") as file:
        file.add(folder, arcname=folder.name)
    shutil.rmtree(folder)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))

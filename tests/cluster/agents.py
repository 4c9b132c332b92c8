"""Agents of one cluster as processes, and what they said over time."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.processes import FAIRLEAD, AgentProcess, fairlead_agent, free_port

__all__ = ["ALIVE", "FAILED", "LEFT", "Diary", "Fleet", "ask", "fleet_in", "statuses", "until"]

ALIVE, LEFT, FAILED = 1, 3, 4
_PATIENCE_S = 30.0


def until(condition: Callable[[], Any], what: str = "it") -> None:
    """Wait for something that must come; how long it takes is not judged."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.05)


def ask(agent: AgentProcess, path: str, method: str = "GET", body: bytes | None = None) -> Any:
    """The JSON of an answer, or its text; an error is text too."""
    request = urllib.request.Request(agent.url + path, body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode()
    try:
        return json.loads(text)
    except ValueError:
        return text


class Fleet:
    """A server and its clients in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.started: list[AgentProcess] = []

    def server(self, *flags: str) -> AgentProcess:
        folder = self._folder("server")
        agent = fairlead_agent(folder, "-node=s1", f"-serf-lan-port={self.port}", *flags)
        self.started.append(agent)
        return agent.start()

    def client(self, name: str, *flags: str) -> AgentProcess:
        """One that joins by `flags`, the server by default."""
        return self.prepared(name, *(flags or (f"-join=127.0.0.1:{self.port}",))).start()

    def prepared(self, name: str, *flags: str) -> AgentProcess:
        folder, port = self._folder(name), free_port()
        command = [*FAIRLEAD, "agent", "-bind=127.0.0.1", f"-node={name}"]
        command += ["-dns-port=-1", f"-http-port={port}", f"-data-dir={folder / 'data'}", *flags]
        agent = AgentProcess(command, port, folder, "/v1/agent/self")
        self.started.append(agent)
        return agent

    def _folder(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def stop(self) -> None:
        for agent in reversed(self.started):
            agent.stop()


def statuses(agent: AgentProcess) -> dict[str, int]:
    return {member["Name"]: member["Status"] for member in ask(agent, "/v1/agent/members")}


class Diary:
    """Asks again and again until it is closed, and keeps each answer that is new."""

    def __init__(self, look: Callable[[], Any]) -> None:
        self.entries: list[Any] = []
        self._look = look
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def _keep(self) -> None:
        while not self._closed.is_set():
            try:
                seen = self._look()
            except (OSError, ValueError):
                seen = None
            if seen is not None and (not self.entries or self.entries[-1] != seen):
                self.entries.append(seen)
            self._closed.wait(0.1)

    def __enter__(self) -> Diary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()


def fleet_in(folder: Path) -> Iterator[Fleet]:
    fleet = Fleet(folder)
    try:
        yield fleet
    finally:
        fleet.stop()

"""Command lines as text: parse them, run them for one program, make outcomes comparable.

A file of `commands/` holds scenarios. A line `# title` begins one; the others are:

    $ kv get key                 run it: output, exit code and the error's first line are equal
    ~ kv get -bogus              the same, but only that there is an error matters, not its words
    write FILE < content         put a file into the program's folder
    PUT /v1/… < body => name     ask the program's agent; `{name}` is the first UUID of the answer

`NAME=value` before a verb is its environment, ` < text` behind it its stdin (with
Python's escapes). `{addr}` stands for the agent's address, `{modify:key}` for the
ModifyIndex of a key. A line `! difference` says that the next command's outcomes
differ on purpose; the word is a row of the table in `test_cli.py`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.processes import AgentProcess

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_INDEX = re.compile(r"((?:Create|Modify)Index\"?:? *|index |snapshot-)(\d+)")
_COMMAND_S = 30
# What the environment of whoever runs the tests must not change.
_OURS = ("CONSUL_", "FAIRLEAD_")


@dataclass(frozen=True)
class Line:
    """One line; `kind` is `$`, `~`, `write` or a method of HTTP."""

    number: int
    kind: str
    text: str
    stdin: bytes
    difference: str = ""
    capture: str = ""


@dataclass
class Scenario:
    title: str
    lines: list[Line] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What one command did."""

    code: int
    stdout: str
    stderr: str

    def error(self) -> str:
        """The first line of the error, without the word that Fairlead puts before all of them."""
        return self.stderr.partition("\n")[0].removeprefix("Error: ").rstrip()


def parse(path: Path) -> list[Scenario]:
    scenarios: list[Scenario] = []
    difference = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("//"):
            continue
        if line.startswith("# "):
            scenarios.append(Scenario(f"{path.stem}: {line[2:]}"))
        elif line.startswith("! "):
            difference = line[2:].strip()
        else:
            scenarios[-1].lines.append(_parse_line(number, line, difference))
            difference = ""
    return scenarios


def _parse_line(number: int, line: str, difference: str) -> Line:
    kind, _, rest = line.partition(" ")
    rest, _, capture = rest.partition(" => ")
    text, separator, stdin = rest.partition(" < ")
    assert kind in ("$", "~", "write", "PUT"), f"line {number} is no command: {line}"
    data = stdin.encode().decode("unicode_escape").encode("latin-1") if "\\" in stdin else b""
    return Line(
        number, kind, text, data or (stdin.encode() if separator else b""), difference, capture
    )


class Side:
    """A program, the agent it talks to, the folder it runs in, and what it captured so far."""

    def __init__(self, program: list[str], agent: AgentProcess, folder: Path) -> None:
        self.program = program
        self.agent = agent
        self.folder = folder
        self._known: dict[str, str] = {}

    def run(self, line: Line) -> Outcome | None:
        """Carry out a line; only commands have an outcome."""
        if line.kind == "write":
            (self.folder / line.text).write_bytes(line.stdin)
        elif line.kind == "PUT":
            answer = self.ask(line.kind, self._filled(line.text), line.stdin)
            found = _UUID.search(answer)
            if line.capture and found:
                self._known[line.capture] = found[0]
        else:
            return self._command(self._filled(line.text), line.stdin)
        return None

    def ask(self, method: str, target: str, body: bytes = b"") -> str:
        """What the agent answers over HTTP."""
        request = urllib.request.Request(self.agent.url + target, method=method, data=body or None)
        with urllib.request.urlopen(request, timeout=_COMMAND_S) as reply:
            text: str = reply.read().decode()
        return text

    def environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        return {**env, "CONSUL_HTTP_ADDR": f"127.0.0.1:{self.agent.port}", "SHELL": "/bin/sh"}

    def _command(self, text: str, stdin: bytes) -> Outcome:
        words = shlex.split(text)
        env = self.environment()
        while re.match(r"[A-Z_]+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            env[name] = value
        done = subprocess.run(
            [*self.program, *words],
            input=stdin,
            capture_output=True,
            env=env,
            cwd=self.folder,
            timeout=_COMMAND_S,
            check=False,
        )
        address = f"127.0.0.1:{self.agent.port}"
        stdout, stderr = (
            out.decode("utf-8", "backslashreplace").replace(address, "ADDRESS")
            for out in (done.stdout, done.stderr)
        )
        return Outcome(done.returncode, stdout, stderr)

    def _filled(self, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name == "addr":
                return f"127.0.0.1:{self.agent.port}"
            if name.startswith("modify:"):
                rows = json.loads(self.ask("GET", f"/v1/kv/{name[7:]}"))
                return str(rows[0]["ModifyIndex"])
            return self._known.get(name, found[0])

        return re.sub(r"\{([\w:/.-]+)\}", value, text)


def comparable(outcomes: list[Outcome]) -> list[Outcome]:
    """Outcomes with ids numbered as they appear and indexes ranked, which both sides can share."""
    ids: dict[str, str] = {}
    seen = {int(number) for outcome in outcomes for _, number in _INDEX.findall(outcome.stdout)}
    ranks = {number: rank for rank, number in enumerate(sorted(seen), 1)}

    def told(text: str) -> str:
        text = _UUID.sub(lambda found: ids.setdefault(found[0], f"uuid-{len(ids) + 1}"), text)
        return _INDEX.sub(lambda found: f"{found[1]}#{ranks.get(int(found[2]), 0)}", text)

    return [Outcome(each.code, told(each.stdout), told(each.stderr)) for each in outcomes]

"""Conversations as text: parse them, play them against an agent, make answers comparable.

A file holds scenarios. A line `# title` begins one; every other line is a request:

    METHOD target [Header: value]... [< body] [=> name=what ...]

`{name}` stands for what an earlier line of the scenario captured by `=>`: the
first UUID of the answer (`id`), its index header (`index`), the last
ModifyIndex of its body (`modify`), or its ContentHash (`hash`). A body `@N` is N
bytes of `x`. A line
`! difference` says that the next request's answers differ on purpose; the word
is a row of `docs/differences.md`.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LINE = re.compile(
    r"(?P<method>[A-Z]+) (?P<target>\S+)"
    r"(?P<headers>(?: [A-Z][A-Za-z-]+: \S+)*)"
    r"(?: <(?: (?P<body>.*?))?)?"
    r"(?: => (?P<captures>[\w= ]+))?"
)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HASH = re.compile(r'"ContentHash": ?"([0-9a-f]+)"')
_COMPARED_HEADERS = (
    "Content-Type",
    "Location",
    "Allow",
    "X-Cache",
    "X-Consul-Effective-Consistency",
    "X-Consul-Reason",
    "X-Consul-Knownleader",
    "X-Consul-Lastcontact",
    "X-Content-Type-Options",
    "Content-Security-Policy",
)
_OF_READS = ("X-Consul-Knownleader", "X-Consul-Lastcontact")
_INDEXES = ("CreateIndex", "ModifyIndex")


@dataclass(frozen=True)
class Step:
    """One request, still with its `{placeholders}`."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None
    captures: dict[str, str]
    difference: str
    line: int


@dataclass
class Scenario:
    title: str
    steps: list[Step] = field(default_factory=list)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    index: int | None


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
            scenarios[-1].steps.append(_parse_step(line, difference, number))
            difference = ""
    return scenarios


def _parse_step(line: str, difference: str, number: int) -> Step:
    found = _LINE.fullmatch(line)
    assert found is not None, f"line {number} is no request: {line}"
    body = found["body"]
    if body is None:
        content = b"" if " <" in line else None
    elif re.fullmatch(r"@\d+", body):
        content = b"x" * int(body[1:])
    else:
        content = body.encode().decode("unicode_escape").encode("latin-1")
        content = body.encode() if "\\" not in body else content
    headers = dict(re.findall(r" ([A-Z][A-Za-z-]+): (\S+)", found["headers"] or ""))
    captures = dict(pair.split("=") for pair in (found["captures"] or "").split())
    return Step(found["method"], found["target"], headers, content, captures, difference, number)


# ---------------------------------------------------------------- playing


def play(scenario: Scenario, port: int) -> list[Answer]:
    """The answers of one agent, in order."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    known: dict[str, str] = {}
    answers = []
    for step in scenario.steps:
        target = _filled(step.target, known)
        body = _filled_body(step.body, known)
        connection.putrequest(step.method, target, skip_accept_encoding=True)
        for name, value in step.headers.items():
            connection.putheader(name, value)
        if body is not None and "Transfer-Encoding" not in step.headers:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        if body is not None:
            _send(connection, body, chunked="Transfer-Encoding" in step.headers)
        response = connection.getresponse()
        content = response.read()
        index = response.getheader("X-Consul-Index")
        answer = Answer(
            response.status, dict(response.getheaders()), content, int(index) if index else None
        )
        known.update(_captured(step, answer))
        if target.startswith("/v1/event/list"):
            answer.index = None  # made of the event's random id
        answers.append(answer)
    connection.close()
    return answers


def _send(connection: http.client.HTTPConnection, body: bytes, *, chunked: bool) -> None:
    # A body that is refused before all of it was read breaks the pipe; the answer says why.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body)


def _filled(text: str, known: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found[1], found[0]), text)


def _filled_body(body: bytes | None, known: dict[str, str]) -> bytes | None:
    if body is None or b"{" not in body:
        return body
    for name, value in known.items():
        body = body.replace(f"{{{name}}}".encode(), value.encode())
    return body


def _captured(step: Step, answer: Answer) -> dict[str, str]:
    captured = {}
    text = answer.body.decode("utf-8", "replace")
    for name, what in step.captures.items():
        if what == "id":
            found = _UUID.search(text)
            captured[name] = found[0] if found else "no-uuid"
        elif what == "index":
            captured[name] = str(answer.index)
        elif what == "hash":
            captured[name] = answer.headers.get("X-Consul-Contenthash", "no-hash")
        else:
            numbers = re.findall(r'"ModifyIndex": ?(\d+)', text)
            captured[name] = numbers[-1] if numbers else "0"
    return captured


# ---------------------------------------------------------------- comparing


def comparable(answers: list[Answer]) -> list[dict[str, Any]]:
    """Answers with ids numbered as they appear and indexes ranked, as two agents can share them."""
    ids: dict[str, str] = {}
    bodies = [_body(answer, ids) for answer in answers]
    seen = sorted(
        {answer.index for answer in answers if answer.index and _is_read(answer)}
        | {index for body in bodies for index in _indexes(body)}
    )
    ranks = {index: f"#{rank}" for rank, index in enumerate(seen, 1)}
    return [
        {
            "status": answer.status,
            "headers": _headers(answer),
            "index": ranks.get(answer.index) if answer.index and _is_read(answer) else None,
            "body": _ranked(body, ranks),
        }
        for answer, body in zip(answers, bodies, strict=True)
    ]


def _headers(answer: Answer) -> dict[str, str]:
    """The headers a client may rely on."""
    return {
        name: answer.headers[name]
        for name in _COMPARED_HEADERS
        if name in answer.headers and (_is_read(answer) or name not in _OF_READS)
    }


def _is_read(answer: Answer) -> bool:
    """How fresh an error is tells a client nothing."""
    return answer.status < 400 or answer.status in (404, 409)


def _body(answer: Answer, ids: dict[str, str]) -> Any:
    text = answer.body.decode("utf-8", "replace")
    text = _UUID.sub(lambda found: ids.setdefault(found[0], f"uuid-{len(ids) + 1}"), text)
    text = _HASH.sub(
        lambda found: f'"ContentHash":"{ids.setdefault(found[1], f"hash-{len(ids) + 1}")}"', text
    )
    text = re.sub(r"(current modify index) \d+ !=", r"\1 N !=", text)
    if answer.headers.get("Content-Type") == "application/json":
        value = json.loads(text)
        if isinstance(value, dict) and "Failovers" in value:
            # What a prepared query finds comes in random order.
            value["Nodes"].sort(key=lambda found: found["Node"]["Node"])
        return value
    return text


def _indexes(value: Any) -> list[int]:
    if isinstance(value, list):
        return [index for item in value for index in _indexes(item)]
    if isinstance(value, dict):
        own = [value[name] for name in _INDEXES if isinstance(value.get(name), int) and value[name]]
        return own + [index for item in value.values() for index in _indexes(item)]
    return []


def _ranked(value: Any, ranks: dict[int, str]) -> Any:
    if isinstance(value, list):
        return [_ranked(item, ranks) for item in value]
    if isinstance(value, dict):
        return {
            name: ranks.get(item, item)
            if name in _INDEXES and isinstance(item, int)
            else _ranked(item, ranks)
            for name, item in value.items()
        }
    return value

"""The documentation tells the truth: its examples run, and it leaves nothing out."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fairlead.cli.main import VERBS
from fairlead.http.api import Route
from fairlead.http.routes import ROUTES
from fairlead.settings import schema
from tests.processes import ROOT, AgentProcess, fairlead_agent, free_port

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
pytestmark = pytest.mark.xdist_group("docs")


@dataclass
class Example:
    """One command of a page, and what it prints; `…` stands for anything within a line."""

    line: int
    command: str
    output: str


def examples(page: Path) -> list[Example]:
    found: list[Example] = []
    inside = False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append(Example(number, line[2:], ""))
        elif inside:
            found[-1].output += line + "\n"
    return found


def matches(expected: str, actual: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, actual) is not None


WITH_EXAMPLES = [page for page in PAGES if examples(page)]


@pytest.fixture
def agent(page: Path, tmp_path: Path) -> Iterator[AgentProcess]:
    """The agent that a page tells its reader to start, with the files of `examples/` it names."""
    flags = [f"-dns-port={free_port()}"]
    for name in re.findall(r"^fairlead agent -dev -config-file=(\S+)$", page.read_text(), re.M):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(with_free_ports((ROOT / name).read_text()))
        flags.append(f"-config-file={file}")
    agent = fairlead_agent(tmp_path, *flags, dev=True).start()
    yield agent
    agent.stop()


@functools.cache
def free_port_for(port: str) -> str:
    return str(free_port())


def with_free_ports(text: str) -> str:
    """The ports of the services in examples, 8001 and the like, may be taken on this machine."""
    return re.sub(r"\b80\d\d\b", lambda found: free_port_for(found[0]), text)


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_every_example_prints_what_the_page_says(
    page: Path, agent: AgentProcess, tmp_path: Path
) -> None:
    """The commands of a page run in one shell, one after the other."""
    steps = [
        Example(step.line, with_free_ports(step.command), with_free_ports(step.output))
        for step in examples(page)
    ]
    marker = "=====next====="
    script = "\n".join(f"{step.command} 2>&1\nwait; echo {marker}" for step in steps)
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FAIRLEAD_HTTP_ADDR": f"127.0.0.1:{agent.port}",
    }
    if "dig " in script and shutil.which("dig") is None:
        pytest.skip("no dig: install bind9-dnsutils")
    dns = next(flag for flag in reversed(agent.command) if flag.startswith("-dns-port="))
    script = script.replace("localhost:8500", f"localhost:{agent.port}")
    script = script.replace("-p 8600", f"-p {dns.partition('=')[2]}")
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=env, cwd=tmp_path, check=False
    )
    outputs = done.stdout.split(f"{marker}\n")[:-1]
    assert len(outputs) == len(steps), done.stderr
    for step, output in zip(steps, outputs, strict=True):
        # curl ends its output without a newline.
        actual = output if output.endswith("\n") or not output else output + "\n"
        assert matches(step.output, actual), f"{page.name}:{step.line}: {step.command}\n{output}"


def test_every_feature_page_has_examples() -> None:
    names = {page.stem for page in WITH_EXAMPLES}
    assert names >= {
        "README",
        "kv",
        "blocking",
        "catalog",
        "sessions",
        "transactions",
        "snapshots",
        "cli",
        "dns",
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_route_is_documented(route: Route) -> None:
    row = f"| `{route.path}` | {' '.join(route.handlers)} |"
    assert row in (ROOT / "docs" / "http-api.md").read_text()


@pytest.mark.parametrize("key", sorted(schema.USED))
def test_every_key_in_use_is_documented(key: str) -> None:
    assert f"`{key}`" in (ROOT / "docs" / "configuration.md").read_text()


def test_every_verb_is_documented() -> None:
    table = (ROOT / "docs" / "cli.md").read_text()
    for verb in VERBS:
        assert re.search(rf"^\| `{verb}[` ]", table, re.MULTILINE), verb


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_source_file_is_in_the_internals() -> None:
    text = (ROOT / "docs" / "internals.md").read_text()
    source = ROOT / "src" / "fairlead"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    assert named <= files
    unnamed = {name for name in files - named if not name.endswith(("__init__.py", "__main__.py"))}
    # Named by their folders: a file a verb.
    folders = ("cli/catalog/", "cli/kv/", "cli/operator/", "cli/services/", "cli/snapshot/")
    assert {name for name in unnamed if not name.startswith(folders)} == set()

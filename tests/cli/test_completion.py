"""Completion in bash: verbs, flags, files, and the keys of the agent, as a shell inserts them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead
from tests.cli.programs import environment

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")

Tab = Callable[[str], list[str]]

_SCRIPT = """
compopt() { echo compopt "$@"; }
eval "$(fairlead completion bash)"
_fairlead_completion fairlead
for value in "${COMPREPLY[@]}"; do echo "$value"; done
"""


def bash_words(line: str) -> list[str]:
    """The words of a line as bash tells them: `=` and `:` are words of their own.

    >>> bash_words("get -key=a:b we")
    ['get', '-key', '=', 'a', ':', 'b', 'we']
    """
    *words, last = re.split(r"([:=])|(?<!\\) ", line)
    return [*filter(None, words), last]


@pytest.fixture
def tab(address: str) -> Tab:
    """What bash would put in the place of the last word of a line."""

    def press(line: str) -> list[str]:
        words = bash_words(line)
        script = f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}\n{_SCRIPT}"
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = environment(address, {"PATH": path})
        command = ["bash", "-c", script]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return press


@pytest.fixture(autouse=True)
def _keys(client: Client) -> None:
    for key in ("web/key1", "web/sub/key2", "a b/c", "x:y", "p=q"):
        client.put(f"/v1/kv/{key}", b"v")


def test_verbs_and_flags(tab: Tab) -> None:
    assert tab("fairlead sn") == ["snapshot"]
    assert tab("fairlead kv ge") == ["get"]
    assert tab("fairlead kv get -de") == ["-detailed"]
    assert tab("fairlead kv get --de") == ["--detailed"]
    assert tab("fairlead completion ba") == ["bash"]


def test_keys_one_level_at_a_time(tab: Tab, address: str) -> None:
    assert tab("fairlead kv get we") == ["compopt -o nospace", "web/"]
    assert tab("fairlead kv get -detailed web/k") == ["web/key1"]
    assert tab(f"fairlead kv get -http-addr={address} web/k") == ["web/key1"]
    assert tab("fairlead kv put web/k") == ["web/key1"]
    assert tab("fairlead lock web/k") == ["web/key1"]
    assert tab("fairlead kv get -http-addr=127.0.0.1:1 web/k") == []


def test_what_a_shell_would_take_apart_is_quoted(tab: Tab) -> None:
    assert tab("fairlead kv get a") == ["compopt -o nospace", r"a\ b/"]
    assert tab(r"fairlead kv get a\ b/") == [r"a\ b/c"]
    assert tab('fairlead kv get "a') == ["compopt -o nospace", "a b/"]


def test_only_the_last_of_what_bash_takes_for_words_is_said(tab: Tab) -> None:
    assert tab("fairlead kv get x") == ["x:y"]
    assert tab("fairlead kv get x:") == ["y"]
    assert tab("fairlead kv get p=") == ["q"]
    assert tab("fairlead watch -type=k") == ["key", "keyprefix"]
    assert tab("fairlead watch -type=key -key=web/k") == ["web/key1"]
    assert tab("fairlead watch -key=x:") == ["y"]
    assert tab("fairlead watch -key web/k") == ["web/key1"]


def test_files_are_left_to_the_shell(tab: Tab) -> None:
    files = ["compopt -o default"]
    for line in (
        "snapshot inspect back",
        "validate conf",
        "kv get -token-file tok",
        "kv get -token-file=tok",
        "kv put web/key1 da",
        "lock web/key1 ./de",
        "watch -type=key -key=web ./on",
    ):
        assert tab(f"fairlead {line}") == files, line


def test_a_link_named_consul_completes_itself(fairlead: Fairlead, tmp_path: Path) -> None:
    link = tmp_path / "consul"
    link.symlink_to(Path(sys.executable).parent / "fairlead")
    done = fairlead("completion", "bash", program=[str(link)])
    assert done.stdout.endswith("complete -o nosort -F _consul_completion consul\n")
    asked = {"_CONSUL_COMPLETE": "bash_complete", "COMP_WORDS": "consul\nkv\nge", "COMP_CWORD": "2"}
    assert fairlead(program=[str(link)], env=asked).stdout == "plain,get\n"

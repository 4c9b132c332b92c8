"""The program as a whole: exit codes, errors without tracebacks, what it imports."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.client import Client
from tests.cli.conftest import Fairlead
from tests.cli.programs import environment, run, wait_until
from tests.processes import FAIRLEAD, free_port

# What an agent needs and a client does not; it takes most of the time of a start.
_HEAVY = (
    "asyncio",
    "fairlead.agent",
    "fairlead.core",
    "fairlead.engines",
    "fairlead.http",
    "fairlead.settings",
    "fairlead.store",
    "hcl",
    "httptools",
    "logging",
    "msgspec",
    "pathlib",
    "sortedcontainers",
    "sqlite3",
    "subprocess",
    "uvloop",
)


@pytest.mark.parametrize("line", ["kv get start/a", "kv put start/a 1", "kv delete start/a"])
def test_a_verb_about_keys_imports_no_part_of_an_agent(line: str, address: str) -> None:
    script = (
        "import json, sys\n"
        "from fairlead.cli.main import main\n"
        f"sys.argv = ['fairlead', *{line.split()}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print(json.dumps(sorted(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment(address),
        check=True,
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    assert "fairlead.client" in modules
    assert [name for name in modules if name in _HEAVY] == []


def test_help_imports_no_verb() -> None:
    script = (
        "import sys\nfrom fairlead.cli.main import main\nsys.argv = ['fairlead', '-h']\n"
        "try:\n    main()\nexcept SystemExit:\n    assert 'fairlead.cli.agent' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)


def test_a_link_named_consul_is_the_same_program(tmp_path: Path, address: str) -> None:
    link = tmp_path / "consul"
    link.symlink_to(Path(sys.executable).parent / "fairlead")
    done = run(address, "kv", "put", "link/a", "1", program=[str(link)])
    assert done == (0, "Success! Data written to: link/a\n", "")
    assert run(address, "version", program=[str(link)]).stdout.startswith("Consul v1.8.7\n")
    version = json.loads(run(address, "version", "-format=json", program=[str(link)]).stdout)
    assert version["Version"] == "1.8.7"
    assert "See 'consul kv get -help'." in run(address, "kv", "get", program=[str(link)]).stderr


def test_the_name_fairlead_gives_its_own_version(fairlead: Fairlead) -> None:
    assert fairlead("version").stdout.startswith("Fairlead v")
    for flag in ("-v", "-version", "--version"):
        assert fairlead(flag) == fairlead("version")
    assert json.loads(fairlead("version", "-format=json").stdout)["Consul"] == "1.8.7"


def test_no_such_verb_is_127_and_what_may_be_meant(fairlead: Fairlead) -> None:
    done = fairlead("snapshoot", "save")
    assert done.code == 127
    assert done.stdout == ""
    assert done.stderr.endswith('there is no command "snapshoot"; did you mean "snapshot"?\n')
    assert fairlead().code == 127
    done = fairlead("keyring")
    assert done.code == 127
    assert done.stderr.endswith('no command "keyring": that of Consul is not in this version\n')
    assert fairlead("kv", "gett").code == 1


def test_a_flag_before_the_verb_is_refused(fairlead: Fairlead) -> None:
    done = fairlead("-http-addr=x", "kv", "get", "a")
    assert done.code == 1
    assert done.stderr.startswith("Error: flags go behind the command: -http-addr=x\n")


def test_no_agent_is_an_error_with_what_to_try(fairlead: Fairlead) -> None:
    done = fairlead("kv", "get", f"-http-addr=127.0.0.1:{free_port()}", "a")
    assert done.code == 1
    first, hint = done.stderr.splitlines()
    assert first.startswith("Error querying Consul agent: Get ")
    assert first.endswith("connect: connection refused")
    assert "fairlead agent -dev" in hint


@pytest.fixture
def files(tmp_path: Path) -> Iterator[str]:
    """A web server that is no agent, and its address."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(port)]
    address = f"127.0.0.1:{port}"
    (tmp_path / "v1" / "kv").mkdir(parents=True)
    (tmp_path / "v1" / "kv" / "text").write_text("no JSON")
    (tmp_path / "v1" / "kv" / "list").write_text("[1]")
    (tmp_path / "v1" / "kv" / "object").write_text("{}")
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as server:
        wait_until(lambda: "No key" in run(address, "kv", "get", "nothing").stderr)
        yield address
        server.terminate()


def test_a_server_that_is_no_agent_is_told_from_one(files: str) -> None:
    for words, fault in [
        (("kv", "get", "text"), "the answer is not JSON"),
        (("kv", "get", "list"), "the answer is no list of keys"),
        (("kv", "get", "-keys", "object"), "the answer is no list of names"),
        (("kv", "export", "object"), "the answer is no list of keys"),
        (("kv", "put", "a", "b"), "Unexpected response code: 501 (an HTML page)"),
        (("watch", "-type=key", "-key=list"), "the answer is no list of keys"),
    ]:
        done = run(files, *words)
        assert done.code == 1
        assert fault in done.stderr
        assert "Is this the HTTP address of an agent?" in done.stderr


def test_bytes_that_are_no_text_go_to_the_agent_as_they_are(fairlead: Fairlead) -> None:
    assert fairlead("kv", "put", "bytes/a", b"\xff\xfe").code == 0
    assert fairlead("kv", "get", "-base64", "bytes/a").stdout == "//4=\n"
    done = fairlead("kv", "put", b"bytes/\xff", "x")
    assert done.code == 1
    assert "the path is not valid UTF-8" in done.stderr


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8", "xx_XX.ISO-8859-1"])
def test_keys_are_utf8_in_every_locale(locale: str, fairlead: Fairlead) -> None:
    env = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    key, value = "locale/ü☃", "wörld"
    done = fairlead("kv", "put", key, value, env=env)
    assert done.stdout == f"Success! Data written to: {key}\n"
    assert fairlead("kv", "get", "-recurse", "locale/", env=env).stdout == f"{key}:{value}\n"


def test_a_full_disk_is_an_error(address: str, client: Client) -> None:
    client.put("/v1/kv/full", b"value")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*FAIRLEAD, "kv", "get", "full"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(address),
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write the output: no space left on device\n"


def test_a_reader_that_has_enough_is_no_error_to_talk_of(address: str, client: Client) -> None:
    client.put("/v1/kv/long", b"x" * 300_000)
    with subprocess.Popen(
        [*FAIRLEAD, "kv", "get", "-recurse", "long"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(address),
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(5) == b"long:"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_stops_nothing(closed: str, address: str, client: Client) -> None:
    client.put("/v1/kv/closed", b"before")
    command = " ".join([*FAIRLEAD, "kv", "put", "closed", "-", closed, "< /dev/null"])
    if "0<&-" in closed:
        command = command.removesuffix("< /dev/null")
    done = subprocess.run(["sh", "-c", command], env=environment(address), check=False)
    assert done.returncode == 0
    assert client.get("/v1/kv/closed").rows()[0]["Value"] is None
    failing = " ".join([*FAIRLEAD, "kv", "get", "none", closed])
    done = subprocess.run(
        ["sh", "-c", failing], env=environment(address), stderr=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 1


def test_output_is_for_the_terminal_and_errors_are_apart(fairlead: Fairlead) -> None:
    done = fairlead("kv", "get", "none")
    assert done == (1, "", "Error! No key exists at: none\n")

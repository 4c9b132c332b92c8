"""Script and OS-service checks: real processes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from fairlead.agent.checks.definition import CheckDefinition, refuse_scripts
from fairlead.errors import InvalidError
from tests.agent.checks.servers import ANY_TIME_NS, run


def sh(line: str, **fields: int) -> CheckDefinition:
    return CheckDefinition(args=["/bin/sh", "-c", line], **fields)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie that nobody waits for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


async def has_ended(pid: int) -> bool:
    """After a kill it takes a moment."""
    for _ in range(500):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("code", "status"), [(0, "passing"), (1, "warning"), (2, "critical"), (255, "critical")]
)
async def test_the_exit_code_decides(code: int, status: str) -> None:
    found = await run(sh(f"echo out; echo err >&2; exit {code}"))
    assert found == (status, "out\nerr\n")


async def test_no_shell_is_asked_unless_one_is_named() -> None:
    assert (
        await run(CheckDefinition(args=["/bin/echo", "$HOME;", "a b"]))
    ).output == "$HOME; a b\n"
    line = CheckDefinition(args=["echo one; echo $0"], shell="/bin/sh")
    assert (await run(line)).output == "one\n/bin/sh\n"
    words = CheckDefinition(args=["echo", "a  b;"], shell="/bin/sh")
    assert (await run(words)).output == "a  b;\n"


async def test_a_script_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"sleep 600 & echo $! > {pids}; echo $$ >> {pids}; echo begun; wait"
    found = await run(sh(line, timeout_ns=1_000_000_000))
    assert found == ("critical", "Timed out (1s) running check\n\nbegun\n")
    for pid in pids.read_text().split():
        assert await has_ended(int(pid))


async def test_what_it_leaves_in_the_background_counts_as_running(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    found = await run(sh(f"sleep 600 & echo $! > {pids}", timeout_ns=1_000_000_000))
    assert found == ("critical", "Timed out (1s) running check")
    assert await has_ended(int(pids.read_text()))


async def test_a_script_that_is_given_up_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    task = asyncio.create_task(run(sh(f"echo $$ > {pids}.new; mv {pids}.new {pids}; sleep 600")))
    while not pids.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_alive(int(pids.read_text()))


async def test_a_flood_is_cut_and_delays_nobody() -> None:
    flooding = asyncio.create_task(run(sh("yes", timeout_ns=1_000_000_000)))
    other = await run(sh("echo fine"))
    assert other == ("passing", "fine\n")
    assert not flooding.done()
    status, output = await flooding
    assert status == "critical"
    assert output.startswith("Timed out (1s) running check\n\nCaptured 4096 of ")
    assert output.endswith("y\n")
    assert len(output) < 4200


async def test_long_output_is_cut_in_consuls_words() -> None:
    found = await run(sh("printf 0123456789"), limit=4)
    assert found == ("passing", "Captured 4 of 10 bytes\n...\n6789")


async def test_a_process_that_closes_its_output_is_waited_for() -> None:
    found = await run(sh("exec >&- 2>&-; sleep 0.2; exit 1"))
    assert found == ("warning", "")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/no/such", "fork/exec /no/such: no such file or directory"),
        ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
        ("/etc/passwd", "fork/exec /etc/passwd: permission denied"),
        ("", "fork/exec : no such file or directory"),
        ("/bin/\0", "fork/exec /bin/\0: invalid argument"),
    ],
)
async def test_what_cannot_be_run_is_critical(program: str, why: str) -> None:
    assert await run(CheckDefinition(args=[program])) == ("critical", why)


async def test_no_file_stays_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        await run(sh("echo x"))
        await run(sh("sleep 600", timeout_ns=ANY_TIME_NS // 3))
        await run(CheckDefinition(args=["/no/such"]))
    assert len(os.listdir("/proc/self/fd")) == before


def test_scripts_are_refused_in_consuls_words_unless_enabled() -> None:
    check = CheckDefinition(args=["true"])
    with pytest.raises(InvalidError, match="Scripts are disabled on this agent; to enable"):
        refuse_scripts(check, allowed=False, remote_allowed=False, remote=False)
    with pytest.raises(InvalidError, match="on this agent from remote calls; to enable"):
        refuse_scripts(check, allowed=True, remote_allowed=False, remote=True)
    refuse_scripts(check, allowed=True, remote_allowed=False, remote=False)
    refuse_scripts(check, allowed=True, remote_allowed=True, remote=True)
    refuse_scripts(CheckDefinition(tcp="x:1"), allowed=False, remote_allowed=False, remote=True)


@pytest.mark.parametrize(
    ("state", "code", "status", "output"),
    [
        ("active", 0, "passing", 'Service "web" is healthy'),
        ("activating", 3, "warning", 'Service "web" is activating'),
        ("failed", 3, "critical", 'Service "web" is failed'),
        ("inactive", 3, "critical", 'Service "web" is inactive'),
        ("Failed to connect to bus", 1, "critical", "Failed to connect to bus"),
    ],
)
async def test_an_os_service_is_what_systemctl_says(
    state: str, code: int, status: str, output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program is a stand-in, with the words and exit codes of systemctl(1)."""
    program = tmp_path / "systemctl"
    program.write_text(
        f'#!/bin/sh\ntest "$*" = "is-active -- web" || exit 9\necho "{state}"\nexit {code}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert await run(CheckDefinition(os_service="web")) == (status, output)


@pytest.mark.skipif(not Path("/run/systemd/system").exists(), reason="systemd does not run here")
async def test_a_real_os_service_of_systemd() -> None:
    assert (await run(CheckDefinition(os_service="systemd-journald"))).status == "passing"
    assert (await run(CheckDefinition(os_service="no-such-unit"))).status == "critical"

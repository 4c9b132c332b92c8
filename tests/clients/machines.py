"""Programs that Debian's packages bring, for tests that need the real ones."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["eventually", "program"]

_INSTALL_S = 300


def program(name: str, package: str, *, at: str = "") -> str:
    """The path of a program; installed where we may, else the test says that it is skipped.

    `at` is a pattern of where it is, when that is not on the path.
    """
    path = _find(name, at) or (_install(package) and _find(name, at))
    if not path:
        pytest.skip(f"{name} is not on this machine: install the package {package}")
    return path


def _find(name: str, at: str) -> str | None:
    if at:
        return next(map(str, sorted(Path("/").glob(at.lstrip("/")), reverse=True)), None)
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@functools.cache
def _install(package: str) -> bool:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    # The package's own service must not be started.
    command = f"""
        export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
        apt-get install -y -qq --no-install-recommends {package} ||
        {{ apt-get update -qq && apt-get install -y -qq --no-install-recommends {package}; }}
    """
    try:
        done = subprocess.run(
            ["sh", "-c", command], capture_output=True, timeout=_INSTALL_S, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def eventually(holds: Callable[[], object], what: str, *, within_s: float = 60.0) -> None:
    """Wait until `holds` does; generous, for the machine may be busy."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.1)
    pytest.fail(f"it did not come about in {within_s:g} s: {what}")

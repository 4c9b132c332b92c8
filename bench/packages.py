"""Programs that load servers: packages of Debian, installed where they are missing and we may."""

from __future__ import annotations

import os
import shutil
import subprocess

from bench.errors import BenchError
from bench.rounds import say

__all__ = ["install"]


def install(program: str) -> None:
    """Put a program onto this machine if it is not there; its package has its name.

    Raises:
        BenchError: it is not there and cannot be installed.
    """
    if shutil.which(program):
        return
    how = f"{program} is needed: install the package {program} (apt-get install {program})"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise BenchError(how)
    say(f"installing {program} ...")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-qq", "-y", program]
    # The lists of packages may be old, or none.
    for step in (command, ["apt-get", "update", "-qq"], command):
        subprocess.run(step, env=environment, stdout=subprocess.DEVNULL, check=False)
        if shutil.which(program):
            return
    raise BenchError(how)

"""Becomes another program that dies with the process that started this one.

Run as a file, without Fairlead's modules: `python -I -S child.py PARENT PROGRAM ARGUMENT…`.
A child that outlives a killed agent would hold its ports and its data.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent, program = int(sys.argv[1]), sys.argv[2]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        # It died before this was asked for.
        sys.exit(1)
    os.execv(program, sys.argv[2:])

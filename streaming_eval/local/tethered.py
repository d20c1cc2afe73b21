"""Runs a command that dies with the process that started it: `tethered.py PARENT_PID COMMAND...`.

A script of its own, not a `preexec_fn`: that one may deadlock in a program with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks Linux for SIGKILL at the parent's death, then becomes the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    tether(parent)
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def tether(parent: int) -> None:
    """Has this process, a child of `parent`, killed at its death."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the request was made
        sys.exit(1)


if __name__ == "__main__":
    main()

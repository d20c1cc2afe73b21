"""A timer of the Linux kernel that kills this process unless it is set back again and again.

No thread of a process that stands still can do anything about it, whether it was stopped by a
signal or holds the interpreter's lock inside C code, and nobody else need watch it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_MONOTONIC: Final = 1  # CLOCK_MONOTONIC
_BY_SIGNAL: Final = 0  # SIGEV_SIGNAL
_SIGEVENT_BYTES: Final = 64
_NS: Final = 1_000_000_000


class _SigEvent(ctypes.Structure):
    """`struct sigevent`, as far as it is used."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * (_SIGEVENT_BYTES - 8 - ctypes.sizeof(ctypes.c_void_p))),
    )


class _TimeSpec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _TimerSpec(ctypes.Structure):
    """`struct itimerspec`; an interval of 0 is a timer that goes off once."""

    _fields_ = (("interval", _TimeSpec), ("value", _TimeSpec))


class DeadMansSwitch:
    """Kills this process with SIGKILL when `push` is not called for so long.

    A child that is forked has none.
    Supported: Linux.
    Not supported: other systems, see `available`.

    Args:
        after_s: seconds, above 0.

    Raises:
        OSError: the kernel has no timer left.
    """

    def __init__(self, after_s: float) -> None:
        whole = int(after_s)
        value = _TimeSpec(whole, int((after_s - whole) * _NS))
        self._setting = _TimerSpec(_TimeSpec(0, 0), value)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._timer = ctypes.c_void_p()
        event = _SigEvent(signal=signal.SIGKILL, notify=_BY_SIGNAL)
        self._checked(
            self._libc.timer_create(_MONOTONIC, ctypes.byref(event), ctypes.byref(self._timer))
        )
        self.push()

    @staticmethod
    def available() -> bool:
        """Whether this system has such a timer."""
        return sys.platform == "linux"

    def push(self) -> None:
        """Begins to count anew."""
        setting = ctypes.byref(self._setting)
        self._checked(self._libc.timer_settime(self._timer, 0, setting, None))

    def remove(self) -> None:
        """Lets the process live; nothing may be called afterwards."""
        self._checked(self._libc.timer_delete(self._timer))

    @staticmethod
    def _checked(result: int) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

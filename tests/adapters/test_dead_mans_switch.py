"""A process that does not push its switch dies, whatever holds it up; one that does lives."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from streaming_eval.adapters.dead_mans_switch import DeadMansSwitch

pytestmark = pytest.mark.skipif(not DeadMansSwitch.available(), reason="only Linux has this timer")

_AFTER_S = 1.5
_LIMIT_S = 30.0
_START = f"""
import ctypes, os, signal, time
from streaming_eval.adapters.dead_mans_switch import DeadMansSwitch
switch = DeadMansSwitch({_AFTER_S})
"""
_PUSHED = f"""
for _ in range(20):
    time.sleep({_AFTER_S / 10})
    switch.push()
switch.remove()
"""
_HANGS = {
    "stopped by a signal": "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(600)",
    "asleep": "time.sleep(600)",
    "in C code with the interpreter's lock": "ctypes.PyDLL(None).sleep(600)",
    "deaf to signals": "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
    "time.sleep(600)",
}


def started(program: str) -> subprocess.Popen[bytes]:
    """A Python process with a switch."""
    return subprocess.Popen([sys.executable, "-c", _START + program])


def test_a_process_that_stands_still_is_killed() -> None:
    began = time.monotonic()
    processes = {why: started(program) for why, program in _HANGS.items()}
    codes = {why: process.wait(_LIMIT_S) for why, process in processes.items()}
    assert codes == dict.fromkeys(_HANGS, -signal.SIGKILL)
    assert time.monotonic() - began > _AFTER_S


def test_a_process_that_pushes_in_time_lives_and_may_take_the_switch_away() -> None:
    began = time.monotonic()
    assert started(_PUSHED).wait(_LIMIT_S) == 0
    assert time.monotonic() - began > 2 * _AFTER_S


def test_a_child_has_no_switch_of_its_parent() -> None:
    forked = f"""
child = os.fork()
if child == 0:
    time.sleep({1.5 * _AFTER_S})
    os._exit(0)
{_PUSHED}
raise SystemExit(os.waitpid(child, 0)[1])
"""
    assert started(forked).wait(_LIMIT_S) == 0

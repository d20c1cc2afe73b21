import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_eval.errors import EnvironmentProblem
from streaming_eval.local.process import ServerProcess

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
POLITE = "import time; print('up', flush=True); time.sleep(60)"


def python(log: Path, program: str) -> ServerProcess:
    return ServerProcess("the server", [sys.executable, "-c", program], log)


def said(log: Path, word: str) -> Callable[[], bool]:
    return lambda: word in log.read_text()


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(holds: Callable[[], bool], limit_s: float = 5) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def test_a_stopped_server_is_gone_and_its_output_is_kept(log: Path) -> None:
    server = python(log, POLITE)
    server.wait_until(said(log, "up"), 10)
    server.stop(10)
    assert not server.running
    assert not exists(server.pid)
    assert log.read_text() == "up\n"


def test_a_server_that_ignores_the_request_to_stop_is_killed(log: Path) -> None:
    server = python(log, STUBBORN)
    server.wait_until(said(log, "up"), 10)
    began = time.monotonic()
    server.stop(0.2)
    assert not exists(server.pid)
    assert 0.2 <= time.monotonic() - began < 5


def test_a_paused_server_can_be_stopped(log: Path) -> None:
    server = python(log, POLITE)
    server.wait_until(said(log, "up"), 10)
    server.pause()
    began = time.monotonic()
    server.stop(10)
    assert not exists(server.pid)
    assert time.monotonic() - began < 5


def test_stopping_twice_does_no_harm(log: Path) -> None:
    server = python(log, POLITE)
    server.stop(10)
    server.stop(10)
    server.kill()
    assert not server.running


def test_a_server_has_a_process_group_of_its_own(log: Path) -> None:
    server = python(log, POLITE)
    try:
        assert os.getpgid(server.pid) == server.pid != os.getpgid(0)
    finally:
        server.kill()


def test_a_server_that_ends_at_once_is_explained_by_the_end_of_its_log(log: Path) -> None:
    log.write_text("an older run\n")
    server = python(log, "import sys; sys.exit('the disk is full')")
    with pytest.raises(
        EnvironmentProblem, match=r"(?s)ended with exit code 1.*the disk is full"
    ) as e:
        server.wait_until(lambda: False, 10)
    assert "an older run" not in str(e.value)


def test_a_program_that_does_not_exist_is_named(log: Path, tmp_path: Path) -> None:
    server = ServerProcess("the server", [tmp_path / "nowhere"], log)
    with pytest.raises(EnvironmentProblem, match="nowhere: No such file"):
        server.wait_until(lambda: False, 10)


def test_a_server_that_is_never_ready_is_killed(log: Path) -> None:
    server = python(log, STUBBORN)
    with pytest.raises(EnvironmentProblem, match=r"was not ready after 0\.2 s"):
        server.wait_until(lambda: False, 0.2)
    assert not exists(server.pid)


def test_ctrl_c_while_waiting_leaves_no_server(log: Path) -> None:
    server = python(log, POLITE)

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        server.wait_until(interrupted, 10)
    assert not exists(server.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
def test_a_server_dies_with_its_parent_even_when_that_is_killed(log: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from streaming_eval.local.process import ServerProcess\n"
        f"server = ServerProcess('x', [sys.executable, '-c', {STUBBORN!r}], Path({str(log)!r}))\n"
        "print(server.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        server_pid = int(parent.stdout.readline())
        assert eventually(lambda: log.exists() and "up" in log.read_text())
        parent.send_signal(signal.SIGKILL)
    assert eventually(lambda: not exists(server_pid))


def test_a_server_started_beside_busy_threads_starts(log: Path) -> None:
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        server = python(log, POLITE)
        server.wait_until(said(log, "up"), 10)
        server.stop(10)
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_the_error_is_shown_even_when_many_lines_follow_it(log: Path) -> None:
    server = python(log, "print('ERROR no space left'); [print('bye', i) for i in range(99)]")
    with pytest.raises(EnvironmentProblem, match=r"(?s)no space left.*bye 98"):
        server.wait_until(lambda: False, 10)

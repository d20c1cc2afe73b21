"""An outside server program as a child: its own group, its output in a file, gone when we are."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from streaming_eval.errors import EnvironmentProblem

_TETHERED = Path(__file__).with_name("tethered.py")
_TAIL_BYTES = 262_144
_TAIL_LINES = 10
_ERRORS_SHOWN = 5
_ERROR = re.compile(r"\b(?:ERROR|FATAL|level=error)\b|Exception")
_POLL_S = 0.05


class ServerProcess:
    """One run of a server program.

    Supported: its own process group (Ctrl-C reaches only us, who then stop it in good order); death
    with us, even by SIGKILL, on Linux; pausing and killing it for fault tests.
    Not supported: being started from a thread that ends before the server does, because Linux ties
    the death signal to that thread.

    Args:
        name: for messages.
        command: absolute path of the program, then its arguments.
        log: file to which its output is appended.
        environment: its variables beside our own.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.log = log
        tether = [sys.executable, "-I", "-S", str(_TETHERED), str(os.getpid())]
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [*tether, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | dict(environment),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], limit_s: float) -> None:
        """Returns when `ready` is true; a server that ends or takes longer is killed.

        Raises:
            EnvironmentProblem: it did not start; the message ends with the end of its log.
        """
        try:
            self._wait_until(ready, limit_s)
        except BaseException:
            self.kill()
            raise

    def stop(self, limit_s: float) -> None:
        """SIGTERM, and SIGKILL to its group when it has not ended after `limit_s` or on Ctrl-C.

        Only the program itself is asked to end: it knows in which order to end its own children.
        """
        if not self.running:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when the process is gone."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Ends a pause; does nothing otherwise."""
        self._signal(signal.SIGCONT)

    def _wait_until(self, ready: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not ready():
            if not self.running:
                raise self._failed(f"ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise self._failed(f"was not ready after {limit_s:g} s")
            time.sleep(_POLL_S)

    def _signal(self, number: signal.Signals) -> None:
        if self.running:
            os.killpg(self._process.pid, number)

    def _failed(self, how: str) -> EnvironmentProblem:
        return EnvironmentProblem(f"{self.name} {how}; {self.log} says:\n{self._essence()}")

    def _essence(self) -> str:
        """Errors, then the end, of what this run wrote; a server's last words are seldom why."""
        with self.log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, end - _TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        before, last = lines[:-_TAIL_LINES], lines[-_TAIL_LINES:]
        errors = [line for line in before if _ERROR.search(line)][:_ERRORS_SHOWN]
        return "\n".join(f"  {line}" for line in [*errors, *last]) or "  (nothing)"

"""The job as its users start it: a process of its own, watched and ended from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

PRODUCT = "streaming_eval.cli"
_POLL_S = 0.02
_LAST_BREATH_S = 5.0
_STAT_STATE, _STAT_SESSION = 0, 3  # fields of /proc/PID/stat after the name


class JobError(Exception):
    """The job did not do what the scenario needs; the message says what, and how its log ends."""


class JobProcess:
    """One run of the job in a session of its own, which all its descendants stay in.

    Left by `with`, it is gone with everything it started.

    Args:
        options: of `streaming-eval run`.
        log: file to which its output is appended.
        program: module that takes the options of `streaming-eval`.
        environment: variables above those of this process.
    """

    def __init__(
        self,
        options: list[str],
        log: Path,
        *,
        program: str = PRODUCT,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._log_start = output.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, "run", *options],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started_at = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the driver."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started_at

    @property
    def output(self) -> str:
        """What this run has written so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def wait(self, limit_s: float) -> int:
        """The exit code.

        Raises:
            JobError: it takes longer than `limit_s`.
        """
        try:
            return self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise self.failure(f"has not ended within {limit_s:g} s") from None

    def terminate(self) -> None:
        """SIGTERM, to the driver alone, as an init system or Kubernetes sends it."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> int:
        """SIGKILL to the driver's process group; returns when its whole session is gone.

        Spark's Python workers are in a group of their own and must end by themselves when the JVM
        is dead.

        Returns:
            How many processes outlived that by five seconds and had to be killed one by one.
        """
        if self.running:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        ends_at = time.monotonic() + _LAST_BREATH_S
        while (left := session_members(self._process.pid)) and time.monotonic() < ends_at:
            time.sleep(_POLL_S)
        for pid in left:
            _kill_one(pid)
        return len(left)

    def failure(self, what: str) -> JobError:
        """An error about this run, with the end of its output."""
        end = "\n".join(self.output.splitlines()[-15:])
        return JobError(f"the job {what}; {self.log} ends with:\n{end}")


def session_members(session: int) -> list[int]:
    """The living processes of a session; the dead that nobody has waited for do not count."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[_STAT_SESSION]) == session and fields[_STAT_STATE] not in "ZX":
            members.append(int(stat.parent.name))
    return members


def _kill_one(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

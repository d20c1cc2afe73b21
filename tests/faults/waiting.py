"""Waits for something that a running job brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.faults.job import JobProcess


def wait_until(
    reached: Callable[[], bool], job: JobProcess, limit_s: float, *, poll_s: float = 0.02
) -> None:
    """Returns when it is reached, which is asked every `poll_s` seconds.

    Raises:
        JobError: the job ends first, or it takes longer than `limit_s`.
    """
    ends_at = time.monotonic() + limit_s
    while not reached():
        if not job.running:
            raise job.failure("ended before the scenario was over")
        if time.monotonic() > ends_at:
            raise job.failure(f"did not get there within {limit_s:g} s")
        time.sleep(poll_s)

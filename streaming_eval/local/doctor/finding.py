"""What one check found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from streaming_eval.settings import Settings


class Status(StrEnum):
    """How bad it is: the job cannot run (fail), runs with a restriction (warn), runs."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: what was looked at; bounded by the configuration's size.
        detail: what was found; holds no secret.
        remedy: what to do about it; empty when nothing is to be done.
    """

    check: str
    status: Status
    detail: str
    remedy: str = ""


Check = Callable[[Settings, Mapping[str, str]], list[Finding]]


def ok(check: str, detail: str) -> Finding:
    """Nothing is to be done."""
    return Finding(check, Status.OK, detail)


def warn(check: str, detail: str, remedy: str) -> Finding:
    """The job runs, but not as well as it might."""
    return Finding(check, Status.WARN, detail, remedy)


def fail(check: str, detail: str, remedy: str) -> Finding:
    """The job cannot run, or would do nothing."""
    return Finding(check, Status.FAIL, detail, remedy)

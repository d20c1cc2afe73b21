"""The endpoint's call log: the independent count of what was really asked.

One JSON line per call: `{"time_ns", "model", "body_sha256", "status", "fault"}`. Each line is one
`os.write` to a file opened for appending, made when the call arrives, so a line is there from then
on even if the client or this process is killed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the endpoint saw it.

    Attributes:
        time_ns: when the request was complete, epoch nanoseconds.
        model: as asked for; empty when the body was not a chat request.
        body_sha256: of the body as canonical JSON (sorted keys, no white space), or of the raw
            bytes when the body was not JSON.
        status: the HTTP status decided on; 0 for a connection reset.
        fault: the deliberate fault, if any; its status is what was to be said without it, where
            the reply is not even HTTP.
    """

    time_ns: int
    model: str
    body_sha256: str
    status: int
    fault: str | None = None


def body_sha256(body: bytes, parsed: object) -> str:
    """Hex digest that equal requests share, whatever their key order and white space."""
    canonical = body if parsed is None else orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


class CallLog:
    """Appends calls to a file."""

    def __init__(self, path: Path, clock_ns: Callable[[], int] = time.time_ns) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        self._clock_ns = clock_ns

    def write(self, model: str, digest: str, status: int, fault: str | None = None) -> None:
        """Adds one call, now."""
        call = Call(self._clock_ns(), model, digest, status, fault)
        os.write(self._file, orjson.dumps(call, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        os.close(self._file)


def read_calls(path: Path) -> list[Call]:
    """All calls in the log, in order of arrival; none when nothing was ever logged."""
    if not path.exists():
        return []
    *lines, _unfinished = path.read_bytes().split(b"\n")
    return [Call(**orjson.loads(line)) for line in lines]

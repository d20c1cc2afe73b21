"""Replies that are no answers: garbage, lies, floods, and a way to another server."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.ports import LOOPBACK
from tests.faults.checks import Checks
from tests.faults.fed_job import OK, FedJob
from tests.faults.options import Options
from tests.faults.processes import forget_peak, peak_bytes, python_workers, resident_bytes
from tests.faults.reasons import REASONS
from tests.faults.site import Site

_FINAL = (
    Fault.TRUNCATED_JSON,
    Fault.WRONG_CONTENT_TYPE,
    Fault.EMPTY_CHOICES,
    Fault.HTML_PAGE,
    Fault.ERROR_OBJECT,
    Fault.GARBAGE,
    Fault.HUGE_BODY,
    Fault.ENDLESS_BODY,
    Fault.GZIP_BOMB,
    Fault.REDIRECT,
)
_REPEATED = (Fault.NOT_HTTP, Fault.BAD_CHUNKING, Fault.HUGE_HEADER)
_OF_EACH = 50
_MOST_GROWTH_BYTES = 64 * 2**20
_LIMIT_S = 120.0


def replies(site: Site, options: Options, checks: Checks) -> None:
    """Each is a failure with its reason, is not kept, and costs no memory."""
    faults = (*_FINAL, *_REPEATED)
    with _elsewhere() as other, site.endpoint("replies", 20.0, synthetic=True) as endpoint:
        settings = {
            "endpoints.recorded.max_in_flight": 16,
            "endpoints.recorded.max_attempts": 2,
        }
        fed = FedJob(site, "replies", endpoint, settings)
        with fed.start() as job:
            fed.wait_running(job, _LIMIT_S)
            good = fed.feed(options.scaled(_OF_EACH * len(faults)))
            fed.wait_for(job, good, _LIMIT_S)
            before = {pid: resident_bytes(pid) for pid in python_workers(job.pid)}
            for pid in before:
                forget_peak(pid)
            endpoint.control(
                fault_rate=1.0, faults=",".join(faults), redirect_port=other.getsockname()[1]
            )
            bad = fed.feed(options.scaled(_OF_EACH * len(faults)))
            fed.wait_for(job, bad, _LIMIT_S)
            grown = [peak_bytes(pid) - was for pid, was in before.items()]
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
        checks.equal("requests at the other server", _arrived(other), 0)
    _check_ends(checks, fed, good, bad)
    checks.figure(f"workers' peak above what they had: {[g // 2**20 for g in grown]} MiB")
    checks.expect(bool(grown), "no worker was found to be measured")
    checks.expect(max(grown, default=0) <= _MOST_GROWTH_BYTES, "a worker grew by more than 64 MiB")


def _check_ends(checks: Checks, fed: FedJob, good: list[str], bad: list[str]) -> None:
    checks.equal("good samples", {v.status for v in fed.verdicts(good).values()}, {OK})
    verdicts = fed.verdicts(bad).values()
    checks.equal("bad replies that made a score", sum(v.status == OK for v in verdicts), 0)
    calls = Counter(call.fault for call in fed.place.calls() if call.fault is not None)
    reasons = Counter(v.error for v in verdicts)
    checks.figure(f"replies {dict(calls)}")
    checks.figure(f"reasons {dict(reasons)}")
    checks.equal("kinds of replies", calls.keys(), {*_FINAL, *_REPEATED})
    wanted: Counter[str | None] = Counter()
    for fault in _FINAL:
        wanted[REASONS[fault]] += calls[fault]
    # What is not HTTP ends the connection, which may show first.
    repeated = {"connection", *(REASONS[fault] for fault in _REPEATED)}
    final = Counter({reason: n for reason, n in reasons.items() if reason not in repeated})
    checks.equal("samples by final reason", final, wanted)
    kept = fed.place.read("responses").num_rows
    checks.equal("answers kept", kept, len(good))


@contextmanager
def _elsewhere() -> Iterator[socket.socket]:
    """Another server, that notes who comes by never letting anybody in."""
    with socket.create_server((LOOPBACK, 0)) as server:
        server.setblocking(False)
        yield server


def _arrived(server: socket.socket) -> int:
    """How many connections wait to be accepted."""
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1

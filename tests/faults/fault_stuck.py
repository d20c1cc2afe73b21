"""Calls that never end: a byte per second, no answer at all, an answer after two minutes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from streaming_eval.local.behaviour import Fault
from tests.faults.checks import Checks
from tests.faults.fed_job import OK, FedJob
from tests.faults.options import Options
from tests.faults.site import Site

_STUCK = (Fault.SLOW_LORIS, Fault.NO_ANSWER, Fault.LATE)
_DEADLINE_S = 3.0
_TOLERANCE = 0.10
_AT_ONCE = 16  # fewer outcomes than open the circuit, so that every call is made
_RARE = 0.01
_LIMIT_S = 120.0


def stuck(site: Site, options: Options, checks: Checks) -> None:
    """Every stuck call is given up at its deadline, and holds up no other."""
    with site.endpoint("stuck", latency_ms=20.0, synthetic=True) as endpoint:
        settings = {
            "endpoints.recorded.max_in_flight": 32,
            "endpoints.recorded.deadline": f"{_DEADLINE_S:g}s",
            "endpoints.recorded.request_timeout": f"{_DEADLINE_S:g}s",
        }
        fed = FedJob(site, "stuck", endpoint, settings)
        with fed.start() as job:
            fed.wait_running(job, _LIMIT_S)
            for fault in _STUCK:
                endpoint.control(fault_rate=_RARE, faults=fault.value)
                some = fed.feed(options.scaled(500))
                fed.wait_for(job, some, _LIMIT_S)
                endpoint.control(fault_rate=1.0)
                all_of_them = fed.feed(_AT_ONCE)
                fed.wait_for(job, all_of_them, _LIMIT_S)
                _check_ends(checks, fed, fault, some, all_of_them)
            endpoint.control(fault_rate=0.0)
            waits_s = endpoint.stats()["given_up_after_s"]
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    _check_deadline(checks, waits_s)


def _check_ends(
    checks: Checks, fed: FedJob, fault: Fault, some: Sequence[str], all_of_them: Sequence[str]
) -> None:
    rare = [v.error for v in fed.verdicts(some).values() if v.status != OK]
    always = [v.error for v in fed.verdicts(all_of_them).values() if v.status != OK]
    ill = sum(call.fault == fault for call in fed.place.calls())
    checks.figure(
        f"{fault.value}: {ill} stuck calls; failed {len(rare)} of {len(some)} at 1 %, "
        f"{len(always)} of {len(all_of_them)} at 100 %"
    )
    checks.equal(f"samples that {fault.value} fails at 100 %", len(always), len(all_of_them))
    checks.expect(
        len(rare) <= ill - len(all_of_them), f"{fault.value} failed those that had answers"
    )
    checks.expect(
        set(rare + always) <= {"deadline", "timeout"}, f"reasons: {Counter(rare + always)}"
    )


def _check_deadline(checks: Checks, waits_s: Sequence[float]) -> None:
    least, most = min(waits_s), max(waits_s)
    checks.figure(
        f"{len(waits_s)} calls given up after {least:.2f} to {most:.2f} s; "
        f"their deadline is {_DEADLINE_S:g} s"
    )
    kept = least >= (1 - _TOLERANCE) * _DEADLINE_S and most <= (1 + _TOLERANCE) * _DEADLINE_S
    checks.expect(kept, f"the deadline is not kept within {_TOLERANCE:.0%}")

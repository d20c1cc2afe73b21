"""An endpoint that refuses, breaks off and fails: now and then, often, always for a while."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streaming_eval.local.behaviour import Fault
from streaming_eval.local.call_log import Call
from streaming_eval.local.endpoint_process import RecordedEndpoint
from streaming_eval.local.faulty_reply import RETRY_AFTER_S
from tests.faults.checks import Checks
from tests.faults.fed_job import OK, FedJob, Verdict
from tests.faults.job import JobProcess
from tests.faults.options import Options
from tests.faults.site import Site

_BUSY = (Fault.RATE_LIMITED, Fault.RATE_LIMITED_SILENTLY)
_ILL = (Fault.SERVER_ERROR, Fault.UNAVAILABLE, Fault.CONNECTION_RESET)
_BUSY_S, _OUTAGE_S = 5.0, 15.0
_OPENS_WITHIN_S, _PROBES_PER_S = 5.0, 1.0
_EXTRA_AT_5_PERCENT = 0.10
_LIMIT_S = 120.0
_NS = 1_000_000_000
_REASONS = {"http_429", "http_500", "http_503", "connection", "deadline", "circuit_open"}


@dataclass(frozen=True, slots=True)
class _Phase:
    """What one mixture of faults came to."""

    verdicts: dict[str, Verdict]
    calls: list[Call]


def endpoint_errors(site: Site, options: Options, checks: Checks) -> None:
    """Every sample ends scored or with a reason, and an ill endpoint is left alone."""
    with site.endpoint("errors", latency_ms=20.0, synthetic=True) as endpoint:
        settings = {"endpoints.recorded.max_in_flight": 32, "endpoints.recorded.deadline": "1m"}
        fed = FedJob(site, "errors", endpoint, settings)
        with fed.start() as job:
            fed.wait_running(job, _LIMIT_S)
            run = _Run(fed, job, endpoint)
            few = run.phase(options.scaled(1_500), 0.05, (*_BUSY, *_ILL))
            many = run.phase(options.scaled(500), 0.30, (*_BUSY, *_ILL))
            busy = run.phase(options.scaled(100), 1.0, _BUSY, heals_after_s=_BUSY_S)
            down = run.phase(options.scaled(300), 1.0, _ILL, heals_after_s=_OUTAGE_S)
            checks.equal("exit code", job.wait(_LIMIT_S), 0)
    phases = {"5 %": few, "30 %": many, "busy": busy, "down": down}
    for name, phase in phases.items():
        _check_ends(checks, name, phase)
    extra = _extra(few.calls)
    checks.expect(extra <= _EXTRA_AT_5_PERCENT, f"{extra:.1%} extra attempts at 5 % errors")
    _check_waits(checks, [call for phase in phases.values() for call in phase.calls])
    _check_left_alone(checks, down)


class _Run:
    """The running job, its endpoint and its call log."""

    def __init__(self, fed: FedJob, job: JobProcess, endpoint: RecordedEndpoint) -> None:
        self._fed, self._job, self._endpoint = fed, job, endpoint

    def phase(
        self,
        samples: int,
        rate: float,
        faults: Iterable[Fault],
        heals_after_s: float | None = None,
    ) -> _Phase:
        """Feeds samples while the endpoint has these faults, until each has its verdict."""
        began_ns = time.time_ns()
        self._endpoint.control(fault_rate=rate, faults=",".join(faults))
        ids = self._fed.feed(samples)
        if heals_after_s is not None:
            self._heal_later(heals_after_s)
        self._fed.wait_for(self._job, ids, _LIMIT_S)
        calls = [call for call in self._fed.place.calls() if call.time_ns >= began_ns]
        return _Phase(self._fed.verdicts(ids), calls)

    def _heal_later(self, seconds: float) -> None:
        """From the first call on, so that the job's own pace does not matter."""
        asked = self._endpoint.stats()["calls"]
        ends_at = time.monotonic() + _LIMIT_S
        while self._endpoint.stats()["calls"] == asked and time.monotonic() < ends_at:
            time.sleep(0.02)
        time.sleep(seconds)
        self._endpoint.control(fault_rate=0.0)


def _check_ends(checks: Checks, name: str, phase: _Phase) -> None:
    failed = Counter(v.error for v in phase.verdicts.values() if v.status != OK)
    checks.figure(
        f"{name}: {len(phase.verdicts)} samples, {failed.total()} failed {dict(failed)}, "
        f"{_extra(phase.calls):.1%} extra attempts"
    )
    checks.expect(set(failed) <= _REASONS, f"{name}: reasons {set(failed) - _REASONS}")


def _check_waits(checks: Checks, calls: Sequence[Call]) -> None:
    """No request comes again before the time that its 429 asked for."""
    waits = [
        (again.time_ns - call.time_ns) / _NS
        for of_one in _by_body(calls).values()
        for call, again in pairwise(of_one)
        if call.fault == Fault.RATE_LIMITED
    ]
    checks.figure(f"{len(waits)} retries after a Retry-After, the first after {min(waits):.2f} s")
    early = [wait_s for wait_s in waits if wait_s < RETRY_AFTER_S]
    checks.equal("retries before Retry-After", early, [])


def _check_left_alone(checks: Checks, down: _Phase) -> None:
    """Soon only probes arrive, and afterwards nothing is missing."""
    ill = [call.time_ns for call in down.calls if call.fault is not None]
    open_at = ill[0] + _OPENS_WITHIN_S * _NS
    probes = sum(at > open_at for at in ill)
    allowed = (_OUTAGE_S - _OPENS_WITHIN_S) * _PROBES_PER_S
    checks.figure(
        f"down for {_OUTAGE_S:g} s: {len(ill) - probes} calls in the first "
        f"{_OPENS_WITHIN_S:g} s, {probes} in the rest, {allowed:g} allowed"
    )
    checks.expect(probes <= allowed, f"{probes} calls after the circuit had to be open")
    lost = [id_ for id_, verdict in down.verdicts.items() if verdict.status != OK]
    checks.equal("samples lost by the outage", lost[:3], [])


def _by_body(calls: Iterable[Call]) -> dict[str, list[Call]]:
    found: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        found[call.body_sha256].append(call)
    return found


def _extra(calls: Sequence[Call]) -> float:
    """Attempts beyond the first of each request, as a share of the requests."""
    requests = len(_by_body(calls))
    return (len(calls) - requests) / requests

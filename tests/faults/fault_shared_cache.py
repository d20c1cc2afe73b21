"""Four jobs at once on one table of paid answers; half of what each asks, the others ask too."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack

from streaming_eval.local.endpoint_process import RecordedEndpoint
from tests.faults.checks import Checks
from tests.faults.fed_job import OK, FedJob
from tests.faults.options import Options
from tests.faults.site import Site

_JOBS = 4
_IN_FLIGHT = 16
_LIMIT_S = 600.0


def shared_cache(site: Site, options: Options, checks: Checks) -> None:
    """They pay for each answer once, but for what is in flight, and lose none.

    All ask the common half first and begin together, so that they are as much in step as can be.
    None ends before all are done, since one with nothing to do yet would not wait for the others.
    """
    half = options.scaled(600)
    shared = site.made("shared") / "responses"
    with site.endpoint("shared", latency_ms=50.0, synthetic=True) as endpoint:
        jobs = [_job(site, number, endpoint, str(shared)) for number in range(_JOBS)]
        with ExitStack() as stack:
            running = [stack.enter_context(job.place.job()) for job in jobs]
            for job, process in zip(jobs, running, strict=True):
                job.wait_running(process, _LIMIT_S)
            common = [f"What do all ask as number {n}?" for n in range(half)]
            own = [[f"What does {i} ask as number {n}?" for n in range(half)] for i in range(_JOBS)]
            ids = [job.ask([*common, *mine]) for job, mine in zip(jobs, own, strict=True)]
            for job, process, fed in zip(jobs, running, ids, strict=True):
                job.wait_for(process, fed, _LIMIT_S)
            for process in running:
                process.terminate()
            codes = [process.wait(_LIMIT_S) for process in running]
    checks.equal("exit codes", codes, [0] * _JOBS)
    keys = [row["cache_key"] for row in _rows(jobs[0], "responses")]
    distinct = half * (_JOBS + 1)
    asked = Counter(call.body_sha256 for call in jobs[0].place.calls())
    checks.figure(
        f"{asked.total():,} calls of {_JOBS} jobs for {distinct:,} distinct keys; "
        f"{asked.total() - distinct:,} too many, {_IN_FLIGHT * _JOBS} are in flight, "
        f"{half * (_JOBS - 1):,} would be without a common table"
    )
    checks.equal("keys that were asked", len(asked), distinct)
    checks.equal("keys with an answer", len(set(keys)), distinct)
    checks.equal("answers beyond one per key", len(keys) - len(set(keys)), 0)
    checks.expect(max(asked.values()) <= _JOBS, "a job has paid twice for one key")
    repeated = sum(n > 1 for n in asked.values())
    checks.expect(repeated <= half, f"{repeated} keys paid more than once, {half} are common")
    checks.expect(
        asked.total() <= distinct + _IN_FLIGHT * _JOBS,
        f"{asked.total():,} calls, {distinct:,} keys and {_IN_FLIGHT * _JOBS} in flight",
    )
    for job, fed in zip(jobs, ids, strict=True):
        _check_joined(checks, job, fed, Counter(keys))


def _job(site: Site, number: int, endpoint: RecordedEndpoint, responses: str) -> FedJob:
    settings = {
        "storage.responses": responses,
        "endpoints.recorded.max_in_flight": _IN_FLIGHT,
        "kafka.max_records_per_trigger": 100,
        "spark.partitions": 1,
        "spark.master": "local[1,4]",
        "spark.driver_memory": "512m",
    }
    return FedJob(site, f"shared-{number}", endpoint, settings, endpoint_name="shared")


def _check_joined(checks: Checks, job: FedJob, ids: list[str], answers: Counter[str]) -> None:
    """Every score meets exactly one answer by its cache key."""
    scores = _rows(job, "scores")
    checks.same_members("scored samples", [row["sample_id"] for row in scores], ids)
    checks.equal("statuses", {row["status"] for row in scores}, {OK})
    joined = sum(answers[row["cache_key"]] for row in scores)
    checks.equal("rows of scores joined with responses", joined, len(ids))


def _rows(job: FedJob, table: str) -> list[dict[str, str]]:
    columns = {"scores": ["sample_id", "status", "cache_key"], "responses": ["cache_key"]}[table]
    rows: list[dict[str, str]] = job.place.tables().read(table, columns).to_pylist()
    return rows

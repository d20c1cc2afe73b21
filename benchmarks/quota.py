"""The quota of an endpoint, kept by four workers of a real cluster, by the endpoint's own log.

Work is dealt 10 to 1: one of the four tasks has ten times the prompts of each of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.bench_job import BenchSite, bench_site
from benchmarks.report import Report
from benchmarks.spark_routes import skewed_prompts
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.call_log import Call
from streaming_eval.local.spark_cluster import SparkCluster

_WORKERS = 4
_SKEW = 10
_PER_MINUTE = 600
_PER_S = _PER_MINUTE / 60
_BURST = _PER_S + 1
_WINDOW_S = 10.0
_SETTLED_S = 30.0
_LATENCY_MS = 300.0
_IN_FLIGHT = 64
_LEAST_USED, _MOST_REFUSED = 0.95, 0.02


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """First with a provider that allows what is configured, then with one that allows half."""
    seconds = 15.0 if quick else 60.0
    with (
        bench_site(directory, Behaviour(latency_ms=_LATENCY_MS), changing=True) as site,
        SparkCluster(directory / "spark", workers=_WORKERS, cores=1) as cluster,
    ):
        calls = _asked(site, cluster, "full", round(_PER_S * seconds))
        _report_kept(calls, report)
        site.endpoint.control(requests_per_minute=_PER_MINUTE / 2)
        settled_s = 5.0 if quick else _SETTLED_S
        calls = _asked(site, cluster, "half", round(_PER_S / 2 * (settled_s + seconds)))
        _report_settled(calls, settled_s, report)


def _asked(site: BenchSite, cluster: SparkCluster, name: str, count: int) -> list[Call]:
    """The calls of a job that finds so many prompts in its topic, in one batch."""
    settings: Mapping[str, object] = {
        "spark.master": cluster.master,
        "spark.partitions": _WORKERS,
        "endpoints.synthetic.requests_per_minute": _PER_MINUTE,
    }
    backlog = skewed_prompts(count, _WORKERS, _SKEW)
    before = len(site.calls())
    with site.job(name, _IN_FLIGHT, settings, backlog=backlog) as job:
        job.wait_scored(count)
    return site.calls()[before:]


def _report_kept(calls: Sequence[Call], report: Report) -> None:
    times = _seconds(calls)
    lasted = times[-1] - times[0]
    most, bound = _most_within(times, _WINDOW_S), _PER_S * _WINDOW_S + _BURST
    what = f"{_PER_MINUTE} per minute, {_WORKERS} workers, work {_SKEW}:1, {len(calls)} calls"
    report.add(
        "quota",
        f"{what}: most in any {_WINDOW_S:g} s",
        f"{most}",
        f"<= {bound:g}",
        met=most <= bound,
    )
    used = (len(times) - 1) / (_PER_S * lasted)
    report.add(
        "quota",
        f"of the quota used, from the first call to the last, {lasted:.0f} s",
        f"{used:.1%}",
        f">= {_LEAST_USED:.0%}",
        met=used >= _LEAST_USED,
    )


def _report_settled(calls: Sequence[Call], settled_s: float, report: Report) -> None:
    times = _seconds(calls)
    later = times >= times[0] + settled_s
    refused = np.asarray([call.status == 429 for call in calls])
    share = float(refused[later].mean())
    report.add(
        "quota",
        f"half of it allowed: answered 429 from second {settled_s:g} on, of {later.sum()} calls; "
        "before",
        f"{share:.1%}; {refused[~later].mean():.1%}",
        f"< {_MOST_REFUSED:.0%}",
        met=share < _MOST_REFUSED,
    )
    served = float((~refused[later]).sum() / (_PER_S / 2 * (times[-1] - times[0] - settled_s)))
    report.add("quota", "of what is allowed used, after that", f"{served:.1%}")


def _most_within(times: npt.NDArray[np.float64], window_s: float) -> int:
    """The most calls that any window of that length holds, its ends included."""
    ends = np.searchsorted(times, times + window_s, side="right")
    return int((ends - np.arange(len(times))).max())


def _seconds(calls: Sequence[Call]) -> npt.NDArray[np.float64]:
    """When each call arrived, in order."""
    return np.asarray([call.time_ns for call in calls]) / 1e9

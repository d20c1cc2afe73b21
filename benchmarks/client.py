"""P1, P2, P22: what our stack and its spool cost beside a bare loop of requests, without Spark."""

from __future__ import annotations

import uuid
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL
from benchmarks.our_client import our_rate
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint

_IN_FLIGHT = 256
_SAMPLES = 16_000
_GOALS = (("P1", 50.0, 0.90), ("P2", 0.0, 0.40))


def run(directory: Path, report: Report, *, pairs: int = 5) -> None:
    """Two processes each, the same endpoint, prompts that never occurred before."""
    for goal, latency_ms, least in _GOALS:
        with _endpoint(directory, latency_ms) as endpoint:
            ours = partial(_ours, endpoint.base_url, directory)
            bare = partial(_bare, endpoint.base_url)
            rates = interleaved(ours, bare, pairs)
        what = f"worker without Spark / bare aiohttp, {latency_ms:g} ms"
        _add(report, goal, what, least, rates)
    with _endpoint(directory, 0.0) as endpoint:
        on = partial(_ours, endpoint.base_url, directory)
        off = partial(_ours, endpoint.base_url, directory, spool=False)
        rates = interleaved(on, off, pairs)
    _add(report, "P22", "worker with spool / without, 0 ms", 0.95, rates)


def _endpoint(directory: Path, latency_ms: float) -> RecordedEndpoint:
    return RecordedEndpoint(Behaviour(latency_ms=latency_ms), synthetic=True, directory=directory)


def _ours(base_url: str, directory: Path, *, spool: bool = True) -> float:
    root = directory / uuid.uuid4().hex
    return our_rate(base_url, MODEL, root, _prompts(), _IN_FLIGHT, spool=spool)


def _bare(base_url: str) -> float:
    return bare_rate(base_url, MODEL, _prompts(), _IN_FLIGHT)


def _add(
    report: Report, goal: str, what: str, least: float, rates: tuple[list[float], list[float]]
) -> None:
    mine, theirs = rates
    result = ratio(mine, theirs)
    report.add(
        goal,
        f"{what}, {_IN_FLIGHT} in flight",
        f"{result}; {np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        f">= {least:.2f}",
        met=result.lower >= least,
    )


def _prompts() -> list[str]:
    run = uuid.uuid4().hex
    return [f"Question {run} number {i}: what is the answer to this one?" for i in range(_SAMPLES)]

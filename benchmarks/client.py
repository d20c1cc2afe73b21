"""P1, P2, P22: what our stack and its spool cost beside a bare loop of requests, without Spark."""

from __future__ import annotations

import uuid
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, bench_endpoint, new_prompts
from benchmarks.our_client import our_rate
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour
from streaming_eval.local.endpoint_process import RecordedEndpoint

_IN_FLIGHT = 256
_GOALS = (("P1", 50.0, 0.90), ("P2", 0.0, 0.40))


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Two processes each, the same endpoint, prompts that never occurred before."""
    samples, pairs = (2_000, 2) if quick else (12_000, 11)
    for goal, latency_ms, least in _GOALS:
        with _endpoint(directory, latency_ms) as endpoint:
            ours = partial(_ours, endpoint.base_url, directory, samples)
            bare = partial(_bare, endpoint.base_url, samples)
            rates = interleaved(ours, bare, pairs, report.progress)
        what = f"worker without Spark / bare aiohttp, {latency_ms:g} ms"
        _add(report, goal, what, least, rates)
    with _endpoint(directory, 0.0) as endpoint:
        on = partial(_ours, endpoint.base_url, directory, samples)
        off = partial(_ours, endpoint.base_url, directory, samples, spool=False)
        rates = interleaved(on, off, pairs, report.progress)
    _add(report, "P22", "worker with spool / without, 0 ms", 0.95, rates)


def _endpoint(directory: Path, latency_ms: float) -> RecordedEndpoint:
    return bench_endpoint(directory, Behaviour(latency_ms=latency_ms))


def _ours(base_url: str, directory: Path, samples: int, *, spool: bool = True) -> float:
    root = directory / uuid.uuid4().hex
    return our_rate(base_url, MODEL, root, new_prompts(samples), _IN_FLIGHT, spool=spool)


def _bare(base_url: str, samples: int) -> float:
    return bare_rate(base_url, MODEL, new_prompts(samples), _IN_FLIGHT)


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

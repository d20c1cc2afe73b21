"""P4: throughput of the whole job when the model answers as LLMs do, some of them very late."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import numpy as np

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, BenchJob, bench_job
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_LLM_LIKE = Behaviour(latency_ms=800.0, latency_tail_share=0.02, latency_tail_ms=10_000.0)
_IN_FLIGHT = 512
_SAMPLES = 24_000
_GOAL = 0.80


def run(directory: Path, report: Report, *, pairs: int = 3) -> None:
    """A cold cache: every prompt is new."""
    with bench_job(directory, _LLM_LIKE, _IN_FLIGHT) as job:
        mine, theirs = interleaved(lambda: _ours(job), lambda: _bare(job), pairs)
    result = ratio(mine, theirs)
    report.add(
        "P4",
        f"full job, 800 ms and 2 % at 10 s, {_IN_FLIGHT} in flight / two bare processes",
        f"{result}; ours {np.median(mine):,.0f}/s, bare {np.median(theirs):,.0f}/s",
        f">= {_GOAL:.2f}",
        met=result.lower >= _GOAL,
    )


def _ours(job: BenchJob) -> float:
    already = round(job.counter("samples_total", outcome="scored"))
    records = [job.record(prompt) for prompt in _prompts()]
    began = time.time()
    job.writer.write_all(records)
    return _SAMPLES / (job.wait_scored(already + _SAMPLES) - began)


def _bare(job: BenchJob) -> float:
    return bare_rate(job.endpoint.base_url, MODEL, _prompts(), _IN_FLIGHT)


def _prompts() -> list[str]:
    run = uuid.uuid4().hex
    return [f"Question {run} number {i}: what is the answer to this one?" for i in range(_SAMPLES)]

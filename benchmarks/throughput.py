"""P3, P7, P8: samples per second from Kafka to committed scores, and calls per distinct key.

The two settings that `docs/operations.md` names for throughput are set for it: requests in flight,
and samples per batch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, BenchJob, bench_job, new_prompts
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

LATENCY_MS = 50.0
IN_FLIGHT = 256
GOAL = 0.60
REPEATED_SAMPLES, DISTINCT_PROMPTS = 20_000, 5_000


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Measures on a cold cache: every prompt is new."""
    samples, pairs = (2_000, 2) if quick else (24_000, 9)
    settings = {"kafka.max_records_per_trigger": samples}
    with bench_job(directory, Behaviour(latency_ms=LATENCY_MS), IN_FLIGHT, settings) as job:
        job.rate(new_prompts(samples))  # the JVM compiles for longer than the pair that warms up
        mine, theirs = interleaved(
            lambda: job.rate(new_prompts(samples)),
            lambda: bare_rate(job.endpoint.base_url, MODEL, new_prompts(samples), IN_FLIGHT),
            pairs,
            report.progress,
        )
        report.add_ratio(
            "P3",
            f"full job, {LATENCY_MS:g} ms, {IN_FLIGHT} in flight, cold cache / two bare processes",
            ratio(mine, theirs),
            f"ours {np.median(mine):,.0f}/s, bare {np.median(theirs):,.0f}/s",
            least=GOAL,
        )
        report.add(
            "P8",
            "samples per minute on this machine, broker, endpoint, Spark and monitor included",
            f"{60 * np.median(mine):,.0f}",
            ">= 120,000",
            met=bool(60 * np.median(mine) >= 120_000),
        )
        _calls_per_key(job, report)


def _calls_per_key(job: BenchJob, report: Report) -> None:
    before = len(job.calls())
    distinct = new_prompts(DISTINCT_PROMPTS)
    chosen = np.random.default_rng(0).integers(0, DISTINCT_PROMPTS, REPEATED_SAMPLES)
    chosen[:DISTINCT_PROMPTS] = np.arange(DISTINCT_PROMPTS)
    job.rate([distinct[i] for i in chosen])
    calls = len(job.calls()) - before
    report.add(
        "P7",
        f"calls per distinct cache key, {REPEATED_SAMPLES:,} samples, {DISTINCT_PROMPTS:,} prompts",
        f"{calls / DISTINCT_PROMPTS:.3f} ({calls:,} calls)",
        "= 1.000",
        met=calls == DISTINCT_PROMPTS,
    )

"""P3, P7, P8: samples per second from Kafka to committed scores, and calls per distinct key."""

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
from streaming_eval.local.call_log import read_calls

LATENCY_MS = 50.0
IN_FLIGHT = 256
GOAL = 0.60
REPEATED_SAMPLES, DISTINCT_PROMPTS = 20_000, 5_000


def run(directory: Path, report: Report, *, samples: int = 24_000, pairs: int = 5) -> None:
    """Measures on a cold cache: every prompt is new.

    Args:
        directory: for all state.
        report: where the figures go.
        samples: per run.
        pairs: counted pairs of ours and bare.
    """
    with bench_job(directory, Behaviour(latency_ms=LATENCY_MS), IN_FLIGHT) as job:
        scored = 0

        def ours() -> float:
            nonlocal scored
            prompts = _prompts(samples)
            records = [job.record(prompt) for prompt in prompts]
            scored += samples
            began = time.time()
            job.writer.write_all(records)
            return samples / (job.wait_scored(scored) - began)

        def bare() -> float:
            return bare_rate(job.endpoint.base_url, MODEL, _prompts(samples), IN_FLIGHT)

        mine, theirs = interleaved(ours, bare, pairs)
        result = ratio(mine, theirs)
        report.add(
            "P3",
            f"full job, {LATENCY_MS:g} ms, {IN_FLIGHT} in flight, cold cache / two bare processes",
            f"{result}; ours {np.median(mine):,.0f}/s, bare {np.median(theirs):,.0f}/s",
            f">= {GOAL:.2f}",
            met=result.lower >= GOAL,
        )
        report.add(
            "P8",
            "samples per minute on this machine, broker, endpoint, Spark and monitor included",
            f"{60 * np.median(mine):,.0f}",
            ">= 120,000",
            met=bool(60 * np.median(mine) >= 120_000),
        )
        _calls_per_key(job, report, scored)


def _calls_per_key(job: BenchJob, report: Report, scored: int) -> None:
    log = job.directory / "calls.jsonl"
    before = len(read_calls(log))
    distinct = _prompts(DISTINCT_PROMPTS)
    chosen = np.random.default_rng(0).integers(0, DISTINCT_PROMPTS, REPEATED_SAMPLES)
    chosen[:DISTINCT_PROMPTS] = np.arange(DISTINCT_PROMPTS)
    job.produce([distinct[i] for i in chosen])
    job.wait_scored(scored + REPEATED_SAMPLES)
    calls = len(read_calls(log)) - before
    report.add(
        "P7",
        f"calls per distinct cache key, {REPEATED_SAMPLES:,} samples, {DISTINCT_PROMPTS:,} prompts",
        f"{calls / DISTINCT_PROMPTS:.3f} ({calls:,} calls)",
        "= 1.000",
        met=calls == DISTINCT_PROMPTS,
    )


def _prompts(count: int) -> list[str]:
    run = uuid.uuid4().hex
    return [f"Question {run} number {i}: what is the answer to this one?" for i in range(count)]

"""P17 and the fixed cost of a small batch: how soon a sample is in the tables and on /metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.bench_job import BenchJob, bench_job
from benchmarks.noop_floor import noop_batch_seconds
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

RATE_PER_S = 50.0
LATENCY_MS = 50.0
SMALL_BATCH = 20
_BURSTS = 15
_POLL_S = 0.05


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Measures open loop: latency counts from the planned time of each sample."""
    seconds = 5.0 if quick else 120.0  # one slow batch of a second is no hundredth of them
    floor = noop_batch_seconds(directory / "stock", "stock")
    tuned = noop_batch_seconds(directory / "ours", "ours")
    report.add(
        "floor",
        "no-op micro-batch of this run, median: Spark as it comes; with our session",
        f"{floor:.2f} s; {tuned:.2f} s",
    )
    with bench_job(directory / "job", Behaviour(latency_ms=LATENCY_MS), 64) as job:
        _bursts(job, report)
        ages = _ages(job, round(RATE_PER_S * seconds))
        p50, p99 = np.percentile(ages, (50, 99))
        report.add(
            "P17",
            f"seconds from produce to /metrics at {RATE_PER_S:g} samples/s, p50 / p99",
            f"{p50:.2f} / {p99:.2f} s = {p50 / floor:.1f} / {p99 / floor:.1f} x floor",
            "<= 8 / 20 x floor",
            met=bool(p50 <= 8 * floor and p99 <= 20 * floor),
        )


def _bursts(job: BenchJob, report: Report) -> None:
    """Fixed cost: bursts of cached prompts, so that nothing is asked."""
    prompts = [f"burst {i}" for i in range(SMALL_BATCH)]
    committed: list[float] = []
    for burst in range(_BURSTS + 5):
        began = time.time()
        job.produce(prompts)
        committed.append(job.wait_scored((burst + 1) * SMALL_BATCH) - began)
        time.sleep(1.0)
    duration = job.counter("batch_duration_seconds_sum", query="score")
    batches = job.counter("batch_duration_seconds_count", query="score")
    report.add(
        "batch",
        f"fixed cost of a {SMALL_BATCH}-sample batch, all cached: work of the batch, mean",
        f"{duration / batches:.2f} s",
    )
    report.add(
        "batch",
        f"the same from produce to committed scores, Spark included, median of {_BURSTS}",
        f"{np.median(committed[5:]):.2f} s",
    )


def _ages(job: BenchJob, count: int) -> list[float]:
    """Age of each sample when /metrics first counts it."""
    before = round(_seen(job))
    planned = [0.0] * count
    with _watching(job) as sightings:
        began = time.time()
        for i in range(count):
            planned[i] = began + i / RATE_PER_S
            time.sleep(max(0.0, planned[i] - time.time()))
            job.writer.write(job.record(f"fresh {began} {i}"))
            job.writer.collect()
        job.writer.flush()
        deadline = time.monotonic() + 60
        while (not sightings or sightings[-1][1] < before + count) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
    ages: list[float] = []
    for at, n in sightings:
        ages += [at - planned[i] for i in range(len(ages), min(n - before, count))]
    if len(ages) < count:
        raise TimeoutError(f"{count - len(ages)} samples never showed on /metrics")
    return ages


@contextmanager
def _watching(job: BenchJob) -> Iterator[list[tuple[float, int]]]:
    sightings: list[tuple[float, int]] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_S):
            n = round(_seen(job))
            sightings.append((time.time(), n))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield sightings
    finally:
        over.set()
        thread.join()


def _seen(job: BenchJob) -> float:
    return job.counter(
        "score_samples", model="candidate", scorer="contains", segment="__all__", window="1d"
    )

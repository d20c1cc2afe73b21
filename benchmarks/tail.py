"""P4: throughput of the whole job when the model answers as LLMs do, some of them very late.

Each run takes over a minute, so there is one counted pair, and a long one: 16,000 calls on each
side, in two batches of ours. Both sides end with a tail of calls that nothing is behind.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.bare_client import bare_rate
from benchmarks.bench_job import MODEL, bench_job, new_prompts
from benchmarks.occupancy import mean_in_flight
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_LLM_LIKE = Behaviour(latency_ms=800.0, latency_tail_share=0.02, latency_tail_ms=10_000.0)
_IN_FLIGHT = 512
_BATCHES = 2
_GOAL = 0.80


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """A cold cache: every prompt is new."""
    samples, warm_up = (2_000, 200) if quick else (16_000, 2_000)
    per_batch = samples // _BATCHES
    settings = {"kafka.max_records_per_trigger": per_batch}
    with bench_job(directory, _LLM_LIKE, _IN_FLIGHT, settings) as job:

        def bare(count: int) -> float:
            return bare_rate(job.endpoint.base_url, MODEL, new_prompts(count), _IN_FLIGHT)

        job.rate(new_prompts(warm_up))
        report.progress(f"warm; now {samples:,} calls of ours")
        ours, our_calls = mean_in_flight(job.endpoint, lambda: job.rate(new_prompts(samples)))
        report.progress(f"ours {ours:,.0f}/s; now {samples:,} bare ones")
        theirs, their_calls = mean_in_flight(job.endpoint, lambda: bare(samples))
    report.add(
        "P4",
        f"full job, 800 ms and 2 % at 10 s, {_IN_FLIGHT} in flight, {per_batch:,} samples per batch"
        f" / two bare processes; one run of {samples:,} calls each",
        f"{ours / theirs:.2f}; ours {ours:,.0f}/s, bare {theirs:,.0f}/s",
        f">= {_GOAL:.2f}",
        met=ours / theirs >= _GOAL,
    )
    report.add(
        "P4",
        "of the requests allowed in flight, used on average: ours; bare",
        f"{our_calls / _IN_FLIGHT:.0%}; {their_calls / _IN_FLIGHT:.0%}",
    )

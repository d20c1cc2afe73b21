"""What a batch of 100 samples costs beyond its model's latency, and on what the time goes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench_job import BenchJob, bench_site, new_prompts
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_SAMPLES = 100
_LATENCY_S = 0.05
_IN_FLIGHT = 256
_WARM_UP = 5
_MOST_S = 1.0
_PAUSE_S = 1.0  # in which the monitor query comes to rest
_SPARK = {
    "latestOffset": "Spark: newest offsets in Kafka",
    "walCommit": "Spark: offsets to the checkpoint",
    "queryPlanning": "Spark: planning",
    "commitOffsets": "Spark: end of batch to the checkpoint",
}


@dataclass(frozen=True, slots=True)
class _Traced:
    """One micro-batch as the traced job wrote it down; all in seconds."""

    samples: int
    spark: Mapping[str, float]
    ours: Mapping[str, float]


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Bursts of 100 samples with new prompts, one batch each, long enough apart."""
    bursts = 5 if quick else 25
    trace = directory / "trace.jsonl"
    with (
        bench_site(directory, Behaviour(latency_ms=1e3 * _LATENCY_S)) as site,
        site.job("job", _IN_FLIGHT, module=("benchmarks.traced_job", str(trace))) as job,
    ):
        seconds = [_burst(job) for _ in range(_WARM_UP + bursts)][_WARM_UP:]
    fixed = np.asarray(seconds) - _LATENCY_S
    report.add(
        "batch",
        f"produce to committed scores of {_SAMPLES} samples beyond the endpoint's "
        f"{1e3 * _LATENCY_S:g} ms, median and worst of {bursts}",
        f"{np.median(fixed):.2f} s, {fixed.max():.2f} s",
        f"< {_MOST_S:g} s",
        met=bool(np.median(fixed) < _MOST_S),
    )
    batches = [b for b in _read(trace) if b.samples == _SAMPLES][_WARM_UP:]
    for what, share in _breakdown(batches):
        report.add("batch", f"  {what}, median of {len(batches)}", f"{1e3 * share:.0f} ms")


def _burst(job: BenchJob) -> float:
    """Seconds from the first record produced to the commit of the last score."""
    prompts = new_prompts(_SAMPLES)
    seconds = _SAMPLES / job.rate(prompts)
    time.sleep(_PAUSE_S)
    return seconds


def _read(trace: Path) -> list[_Traced]:
    """The batches of which both Spark and our part have told."""
    told: dict[int, dict[str, object]] = {}
    for line in trace.read_text().splitlines():
        facts = json.loads(line)
        told.setdefault(facts["batch"], {}).update(facts)
    return [
        _Traced(
            samples=int(str(facts["samples"])),
            spark={name: ms / 1_000 for name, ms in _numbers(facts["spark_ms"]).items()},
            ours=_numbers(facts["seconds"]),
        )
        for _, facts in sorted(told.items())
        if {"samples", "seconds"} <= facts.keys()
    ]


def _numbers(values: object) -> dict[str, float]:
    assert isinstance(values, dict)
    return {str(name): float(value) for name, value in values.items()}


def _breakdown(batches: Sequence[_Traced]) -> list[tuple[str, float]]:
    """Median seconds of each part; the parts of a batch add up, their medians about."""
    if not batches:
        raise RuntimeError(f"no batch had exactly {_SAMPLES} samples")

    def median(values: list[float]) -> float:
        return float(np.median(values))

    names = [name for name in batches[0].ours if name not in ("all", "workers")]
    parts = [
        (what, median([b.spark.get(key, 0.0) for b in batches])) for key, what in _SPARK.items()
    ]
    workers = [b.ours["workers"] - _LATENCY_S for b in batches]
    parts.append(("workers, beyond the endpoint's latency", median(workers)))
    parts += [(name, median([b.ours.get(name, 0.0) for b in batches])) for name in names]
    parts.append(("driver: duplicates, dead letters, metrics", median([_rest(b) for b in batches])))
    parts.append(("Spark: the rest", median([_rest_of_spark(b) for b in batches])))
    whole = median([b.spark["triggerExecution"] - _LATENCY_S for b in batches])
    parts.append(("all of it: the trigger, beyond the endpoint's latency", whole))
    return parts


def _rest_of_spark(batch: _Traced) -> float:
    named = sum(batch.spark.get(key, 0.0) for key in _SPARK)
    return batch.spark["triggerExecution"] - named - batch.ours["all"]


def _rest(batch: _Traced) -> float:
    """What our part took beside the phases that have a name; `all` is among the values."""
    return 2 * batch.ours["all"] - sum(batch.ours.values())

"""P5, P6: the whole job beside spark-llm-eval 0.1.3, on the same endpoint and cores."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from benchmarks.bench_job import MODEL, BenchJob, bench_job, new_prompts
from benchmarks.own_environment import own_environment
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.java import find_java, java_home
from streaming_eval.local.behaviour import Behaviour

_RELEASE = "spark-llm-eval==0.1.3"
# What the release was made for; later ones of these refuse to work with it.
_REQUIREMENTS = (_RELEASE, "pyspark==4.2.0", "pandas==2.3.3", "pyarrow==22.0.0")
_UNWANTED = "tiktoken"
_IN_FLIGHT = 256
_SAMPLES = 12_000
_PAIRS = 3
_SETTINGS = "no cache, no tiktoken, a `contains` that takes `queries`; concurrency = task slots"


@dataclass(frozen=True, slots=True)
class _Seed:
    """How the other side is run, and how much faster we must be."""

    goal: str
    latency_ms: float
    slots: int
    rows: int
    least: float


_SEEDS = (
    _Seed("P5", 50.0, slots=2, rows=60, least=100.0),
    _Seed("P5", 50.0, slots=64, rows=1_000, least=5.0),
    _Seed("P6", 0.0, slots=2, rows=2_000, least=5.0),
)


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Prompts that never occurred before; each side's session is warm."""
    report.add("seed", "settings of spark-llm-eval 0.1.3", _SETTINGS)
    for latency_ms in (50.0, 0.0):
        behaviour = Behaviour(latency_ms=latency_ms)
        place = directory / f"{latency_ms:g}"
        place.mkdir()
        with bench_job(place, behaviour, _IN_FLIGHT) as job:
            for seed in _SEEDS:
                if seed.latency_ms == latency_ms:
                    _compare(job, seed, report, quick)


def _compare(job: BenchJob, seed: _Seed, report: Report, quick: bool) -> None:
    samples, pairs = (1_000, 1) if quick else (_SAMPLES, _PAIRS)
    rows = seed.rows // 10 if quick else seed.rows
    with _Evaluator(job.endpoint.base_url, seed.slots) as evaluator:
        mine, theirs = interleaved(
            lambda: job.rate(new_prompts(samples)),
            lambda: evaluator.rate(rows),
            pairs,
            report.progress,
        )
    report.add_ratio(
        seed.goal,
        f"full job / spark-llm-eval 0.1.3 with {seed.slots} task slots, {seed.latency_ms:g} ms",
        ratio(mine, theirs),
        f"{np.median(mine):,.0f}/s against {np.median(theirs):,.1f}/s",
        least=seed.least,
    )


class _Evaluator:
    """The release in a process of its own, whose Spark session lives as long as the block."""

    def __init__(self, base_url: str, slots: int) -> None:
        client = Path(__file__).with_name("seed_client.py")
        self._process = subprocess.Popen(
            [_interpreter(), client, base_url, MODEL, str(slots)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"JAVA_HOME": str(java_home(find_java()))},
        )

    def rate(self, rows: int) -> float:
        """Rows per second of one evaluation of that many rows."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(rows, file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.startswith("rate "):
                return float(line.removeprefix("rate "))
        raise RuntimeError(f"spark-llm-eval ended with code {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._process.terminate()
        self._process.communicate()


def _interpreter() -> Path:
    return own_environment("spark-llm-eval-0.1.3", _REQUIREMENTS, unwanted=(_UNWANTED,))

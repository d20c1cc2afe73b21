"""P5, P6: the whole job beside spark-llm-eval 0.1.3, on the same endpoint and cores."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench_job import MODEL, BenchJob, bench_job
from benchmarks.ratio import interleaved, ratio
from benchmarks.report import Report
from streaming_eval.adapters.jars import jar_cache
from streaming_eval.adapters.java import find_java, java_home
from streaming_eval.local.behaviour import Behaviour

_RELEASE = "spark-llm-eval==0.1.3"
# What the release was made for; later ones of these refuse to work with it.
_REQUIREMENTS = (_RELEASE, "pyspark==4.2.0", "pandas==2.3.3", "pyarrow==22.0.0")
_UNWANTED = "tiktoken"
_IN_FLIGHT = 256
_SAMPLES = 24_000


@dataclass(frozen=True, slots=True)
class _Seed:
    """How the other side is run, and how much faster we must be."""

    goal: str
    latency_ms: float
    slots: int
    rows: int
    least: float


_SEEDS = (
    _Seed("P5", 50.0, slots=2, rows=120, least=100.0),
    _Seed("P5", 50.0, slots=64, rows=2_000, least=5.0),
    _Seed("P6", 0.0, slots=2, rows=2_000, least=5.0),
)


def run(directory: Path, report: Report, *, pairs: int = 3) -> None:
    """Prompts that never occurred before; each side's session is warm.

    Args:
        directory: for all state.
        report: where the figures go.
        pairs: counted pairs.
    """
    for latency_ms in (50.0, 0.0):
        behaviour = Behaviour(latency_ms=latency_ms)
        with bench_job(directory / f"{latency_ms:g}", behaviour, _IN_FLIGHT) as job:
            for seed in _SEEDS:
                if seed.latency_ms == latency_ms:
                    _compare(job, seed, pairs, report)


def _compare(job: BenchJob, seed: _Seed, pairs: int, report: Report) -> None:
    mine, theirs = interleaved(
        lambda: _our_rate(job), lambda: _their_rate(job.endpoint.base_url, seed), pairs
    )
    result = ratio(mine, theirs)
    report.add(
        seed.goal,
        f"full job / spark-llm-eval 0.1.3 with {seed.slots} task slots, {seed.latency_ms:g} ms",
        f"{result}; {np.median(mine):,.0f}/s against {np.median(theirs):,.1f}/s",
        f">= {seed.least:g}",
        met=result.lower >= seed.least,
    )


def _our_rate(job: BenchJob) -> float:
    run = uuid.uuid4().hex
    records = [job.record(f"Question {run} number {i}") for i in range(_SAMPLES)]
    already = round(job.counter("samples_total", outcome="scored"))
    began = time.time()
    job.writer.write_all(records)
    return _SAMPLES / (job.wait_scored(already + _SAMPLES) - began)


def _their_rate(base_url: str, seed: _Seed) -> float:
    client = Path(__file__).with_name("seed_client.py")
    done = subprocess.run(
        [_environment(), client, base_url, MODEL, str(seed.slots), str(seed.rows)],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"JAVA_HOME": str(java_home(find_java()))},
    )
    return float(done.stdout.rpartition("rate ")[2])


def _environment() -> Path:
    """The interpreter of a virtual environment that holds the release; made at first use."""
    home = jar_cache().parent / "spark-llm-eval-0.1.3"
    python = home / "bin" / "python"
    complete = home / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        pip: list[str | Path] = [python, "-m", "pip", "--quiet"]
        subprocess.run([*pip, "install", *_REQUIREMENTS], check=True)
        subprocess.run([*pip, "uninstall", "--yes", _UNWANTED], check=True)
        complete.touch()
    return python

"""P10: a metric is redefined, and what was answered before is scored anew from the cache.

Two jobs share one table of answers. The first has never seen the prompts and pays; the second has
a root and a scorer of its own, is given the same prompts afterwards, and must not pay.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.bench_job import BenchJob, bench_site, new_prompts
from benchmarks.ratio import interleaved, ratio
from benchmarks.raw_scan import RawScan
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_LATENCY_MS = 50.0
_IN_FLIGHT = 256
_BESIDE_COLD, _BESIDE_SCAN = 5.0, 0.05


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Cold run and replay by turns, then replay of everything and scan by turns."""
    samples, pairs, scans = (1_000, 1, 1) if quick else (16_000, 5, 2)
    with (
        bench_site(directory, Behaviour(latency_ms=_LATENCY_MS)) as site,
        site.job("cold", _IN_FLIGHT) as cold,
    ):
        responses = cold.root / "tables" / "responses"
        settings = {"storage.responses": responses, "scorers": "[{kind: token_f1}]"}
        with site.job("replay", _IN_FLIGHT, settings) as replay:
            asked = _beside_cold(cold, replay, samples, pairs, report)
            _beside_scan(replay, responses, asked, scans, report)


def _beside_cold(
    cold: BenchJob, replay: BenchJob, samples: int, pairs: int, report: Report
) -> list[str]:
    """Returns all prompts that were paid for."""
    asked: list[str] = []
    paid: list[int] = []

    def cold_rate() -> float:
        asked.extend(new_prompts(samples))
        return cold.rate(asked[-samples:])

    def replay_rate() -> float:
        before = len(replay.calls())
        rate = replay.rate(asked[-samples:])
        paid.append(len(replay.calls()) - before)
        return rate

    theirs, mine = interleaved(cold_rate, replay_rate, pairs, report.progress)
    result = ratio(mine, theirs)
    report.add(
        "P10",
        f"replay of {samples:,} samples with another scorer / cold run, {_LATENCY_MS:g} ms, "
        f"{_IN_FLIGHT} in flight",
        f"{result}; {np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        f">= {_BESIDE_COLD:g}",
        met=result.lower >= _BESIDE_COLD,
    )
    report.add("P10", "requests made by the replays", f"{sum(paid)}", "= 0", met=sum(paid) == 0)
    return asked


def _beside_scan(
    replay: BenchJob, responses: Path, asked: list[str], pairs: int, report: Report
) -> None:
    with RawScan(responses) as scan:
        mine, theirs = interleaved(lambda: replay.rate(asked), scan.rate, pairs, report.progress)
    result = ratio(mine, theirs)
    report.add(
        "P10",
        f"replay of {len(asked):,} samples / Spark's scan of their answers to a no-op sink",
        f"{result}; {np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        f">= {_BESIDE_SCAN}",
        met=result.lower >= _BESIDE_SCAN,
    )

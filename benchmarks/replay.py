"""P10: a metric is redefined, and what was answered before is scored anew from the cache.

Two jobs share one table of answers. The first has never seen the prompts and pays; the second has
a root and a scorer of its own, is given the same prompts afterwards, and must not pay. Records are
made before the clock starts and written while it runs, which takes a small part of the time.

A replay has a goal beside a cold run where the endpoint sets the pace of that, as it does with
`max_in_flight` as it is by default, and with answers as slow as an LLM's. With so many in flight
that the processors set the pace of both, the ratio only says what asking costs of their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.bench_job import BenchJob, bench_site, new_prompts
from benchmarks.ratio import interleaved, ratio
from benchmarks.raw_scan import RawScan
from benchmarks.report import Report
from streaming_eval.local.behaviour import Behaviour

_IN_FLIGHT = 256
_LLM_LIKE = Behaviour(latency_ms=800.0, latency_tail_share=0.02, latency_tail_ms=10_000.0)
_LLM_LIKE_IN_FLIGHT = 512
_FIRST = 200
_BESIDE_COLD, _BESIDE_SCAN = 5.0, 0.05


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Cold run and replay by turns, replay of everything and scan by turns; then other settings."""
    samples, pairs, scans = (1_000, 1, 1) if quick else (24_000, 5, 2)
    with _pair(directory / "fast", Behaviour(latency_ms=50.0), _IN_FLIGHT) as (cold, replay):
        what = f"50 ms, {_IN_FLIGHT} in flight"
        asked = _beside_cold(cold, replay, what, (samples, pairs), report)
        _beside_scan(cold, replay, asked, scans, report)
    samples, pairs = (500, 1) if quick else (8_000, 3)
    with _pair(directory / "default", Behaviour(latency_ms=50.0), None) as (cold, replay):
        what = "50 ms, `max_in_flight` as it is by default"
        _beside_cold(cold, replay, what, (samples, pairs), report, _BESIDE_COLD)
    with _pair(directory / "slow", _LLM_LIKE, _LLM_LIKE_IN_FLIGHT) as (cold, replay):
        what = f"800 ms and 2 % at 10 s, {_LLM_LIKE_IN_FLIGHT} in flight"
        _beside_cold(cold, replay, what, (samples, 1), report, _BESIDE_COLD)


@contextmanager
def _pair(
    directory: Path, behaviour: Behaviour, in_flight: int | None
) -> Iterator[tuple[BenchJob, BenchJob]]:
    """The job that pays and the one that replays, on one table of answers."""
    directory.mkdir()
    with bench_site(directory, behaviour) as site, site.job("cold", in_flight) as cold:
        settings = {"storage.responses": _answers(cold), "scorers": "[{kind: token_f1}]"}
        with site.job("replay", in_flight, settings) as replay:
            for job in (cold, replay):  # whose processes all run before anything is timed
                job.rate(new_prompts(_FIRST))
            yield cold, replay


def _answers(cold: BenchJob) -> Path:
    return cold.root / "tables" / "responses"


def _beside_cold(
    cold: BenchJob,
    replay: BenchJob,
    setting: str,
    size: tuple[int, int],
    report: Report,
    goal: float | None = None,
) -> list[str]:
    """Returns all prompts that were paid for; `size` is samples per run, and counted pairs."""
    samples, pairs = size
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
    report.add_ratio(
        "P10",
        f"replay of {samples:,} samples with another scorer / cold run, {setting}",
        ratio(mine, theirs),
        f"{np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        least=goal,
    )
    report.add("P10", "requests made by the replays", f"{sum(paid)}", "= 0", met=sum(paid) == 0)
    return asked


def _beside_scan(
    cold: BenchJob, replay: BenchJob, asked: list[str], pairs: int, report: Report
) -> None:
    with RawScan(_answers(cold)) as scan:
        mine, theirs = interleaved(lambda: replay.rate(asked), scan.rate, pairs, report.progress)
    report.add_ratio(
        "P10",
        f"replay of {len(asked):,} samples / Spark's scan of their answers to a no-op sink",
        ratio(mine, theirs),
        f"{np.median(mine):,.0f}/s against {np.median(theirs):,.0f}/s",
        least=_BESIDE_SCAN,
    )

"""Recorded answers of real models: a swap that is a loss is found, one that is none raises nothing.

The 2,337 answerable questions of SelfAware with answers of GPT-4, Llama-2-7B and Llama-2-13B. The
budget is that of a fleet: one false alarm a week over all series of the benchmark, panes of 1 min
that hold 50 scores.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.stats.recorded import PANE_MS, PER_PANE, Scored, alarm_of, levels_of, scored
from streaming_eval.alerting import Alarm, SeriesPlan, fleet_thresholds
from streaming_eval.local.questions import GPT_4, LLAMA_2_7B, LLAMA_2_13B, load_questions
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Floats, Scale

_WEEK_MS = 604_800_000
_BASELINE = 5_000
_SWAP_AT = 10_000
_EFFECT = 0.02  # of the scorer's range
_NULL_PAIRS = ((LLAMA_2_13B, LLAMA_2_7B), (LLAMA_2_7B, LLAMA_2_13B))


def run(directory: Path, report: Report, *, quick: bool) -> None:
    """Every scorer, several replays each."""
    replays, after = (3, 2_000) if quick else (20, 20_000)
    everything = scored(load_questions())
    report.progress("all answers are scored")
    for one in everything:
        _swap(one, len(everything), replays, after, report)
    answering = [one for one in everything if one.mean(LLAMA_2_7B) > 0.0]
    for one in answering:
        _null(one, len(everything), replays, report)


def _swap(one: Scored, series: int, replays: int, after: int, report: Report) -> None:
    """GPT-4, then Llama-2-7B; questions drawn with replacement, as the demo does."""
    early, delays = 0, []
    plan = _plan(one.scale, series)
    for replay in range(replays):
        rng = np.random.default_rng(replay)
        before = rng.choice(one.values[GPT_4], _SWAP_AT)
        values = np.concatenate([before, rng.choice(one.values[LLAMA_2_7B], after)])
        levels = levels_of(values, one.scale, replay)
        swap_at = int((~np.isnan(before)).sum())
        opened = _opened(alarm_of(levels, plan))
        early += opened is not None and opened <= swap_at
        if opened is not None and opened > swap_at:
            delays.append(opened - swap_at)
    loss = (one.mean(GPT_4) - one.mean(LLAMA_2_7B)) / (one.scale.high - one.scale.low)
    shows = loss > 2 * _EFFECT  # the baseline's bound takes about one more effect away
    told = f"; delay {np.median(delays):,.0f}, worst {max(delays):,}" if delays else ""
    report.add(
        "R1",
        f"GPT-4 to Llama-2-7B, {one.definition.name}: {one.mean(GPT_4):.3f} to "
        f"{one.mean(LLAMA_2_7B):.3f}, {100 * loss:.1f} % of the range",
        f"found in {len(delays)} of {replays} within {after:,}{told} scores; {early} before it",
        "all, none before" if shows else "none before",
        met=early == 0 and (len(delays) == replays or not shows),
    )


def _null(one: Scored, series: int, replays: int, report: Report) -> None:
    """The two small models on shuffled questions: as candidates of each other, and as a swap."""
    paired = alone = 0
    for candidate, other in _NULL_PAIRS:
        difference = one.values[candidate] - one.values[other]
        for replay in range(replays):
            rng = np.random.default_rng(replay)
            scale = one.scale.difference()
            order = rng.permutation(len(difference))
            levels = levels_of(difference[order], scale, replay)
            paired += alarm_of(levels, _plan(scale, series, constant=0.5)) is not None
            alone += _swapped(one, (other, candidate), rng, _plan(one.scale, series)) is not None
    report.add(
        "R2",
        f"Llama-2-7B ({one.mean(LLAMA_2_7B):.3f}) and 13B ({one.mean(LLAMA_2_13B):.3f}), "
        f"{one.definition.name}: alarms at a smallest effect of 2 % of the range",
        f"{paired} of {2 * replays} paired replays, {alone} of {2 * replays} swaps",
        "none",
        met=paired + alone == 0,
    )


def _swapped(
    one: Scored, models: tuple[str, str], rng: np.random.Generator, plan: SeriesPlan
) -> Alarm | None:
    """All questions in shuffled rounds: three answered by the first model, three by the next."""
    rounds = [_shuffled(one.values[model], rng) for model in models for _ in range(3)]
    return alarm_of(levels_of(np.concatenate(rounds), one.scale, 0), plan)


def _shuffled(values: Floats, rng: np.random.Generator) -> Floats:
    return values[rng.permutation(len(values))]


def _opened(alarm: Alarm | None) -> int | None:
    """Scores up to the end of the pane that opened it."""
    return None if alarm is None else (alarm.opened_ms // PANE_MS + 1) * PER_PANE


def _plan(scale: Scale, series: int, constant: float | None = None) -> SeriesPlan:
    """A pinned baseline, or a constant; the smallest effect is a share of the own range."""
    thresholds = fleet_thresholds(_WEEK_MS, PANE_MS, series)
    return SeriesPlan(
        grid=Grid(scale.levels),
        pane_ms=PANE_MS,
        window_ms=60 * PANE_MS,
        baseline_samples=_BASELINE if constant is None else None,
        baseline_constant=constant,
        # The range of differences is twice as wide.
        smallest_effect=_EFFECT if constant is None else _EFFECT / 2,
        log_threshold=thresholds.log_threshold,
        log_suspect=thresholds.log_suspect,
        alarm=True,
    )

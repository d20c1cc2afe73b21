"""The detectors of one series: their null mean and bets, from the baseline and the plan."""

from __future__ import annotations

from functools import lru_cache

from streaming_eval.alerting.baseline import Baseline
from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.e_detector import EDetector
from streaming_eval.stats.grid import UNWEIGHTED, Grid


def bounds(baseline: Baseline, plan: SeriesPlan) -> tuple[float, ...]:
    """What the baseline's mean is taken to be on [0, 1], of each of its seasons.

    The constant, or a lower bound. The bounds share the plan's error: the chance that any of them
    exceeds its mean is at most `baseline_alpha`. A season without scores has the bound 0, below
    which nothing can fall.
    """
    if constant(baseline, plan) is not None:
        return (constant(baseline, plan) or 0.0,)
    cells, seasons = plan.grid.cells, baseline.seasons(plan.grid.cells)
    parts = (baseline.counts[at * cells : (at + 1) * cells] for at in range(seasons))
    return tuple(_lower_bound(part, plan.baseline_alpha / seasons, plan.grid) for part in parts)


def constant(baseline: Baseline, plan: SeriesPlan) -> float | None:
    """The known mean that the series is compared with; None when it is compared with counts.

    A baseline that somebody has promoted comes before what is configured.
    """
    return None if baseline.promoted else plan.baseline_constant


def null_mean(baseline: Baseline, start_ms: int, plan: SeriesPlan) -> float:
    """Smallest mean on [0, 1] that is not called a drop, in the pane that begins at `start_ms`.

    A pinned baseline enters with its lower bound, never with its mean: the chance of a false alarm
    is then at most `baseline_alpha` plus the detector's own (Podkopaev, Ramdas (2022), Tracking the
    risk of a deployed model and detecting harmful distribution shifts). It may differ from pane to
    pane, as long as it follows from the clock and not from the pane's scores.
    """
    known = constant(baseline, plan)
    if known is None:
        cells = plan.grid.cells
        alpha = plan.baseline_alpha / baseline.seasons(cells)
        known = _lower_bound(baseline.season(start_ms, cells), alpha, plan.grid)
    return max(known - plan.smallest_effect, 0.0)


@lru_cache(maxsize=8_192)
def drops_below(mean: float, grid: Grid) -> EDetector:
    """Bets against "the mean is at least `mean`"."""
    return EDetector.for_drops(mean, _variance(mean, grid))


@lru_cache(maxsize=8_192)
def rises_above(mean: float, grid: Grid) -> EDetector:
    """Bets against "the mean is at most `mean`": the same, seen from the other end."""
    return EDetector.for_rises(mean, _variance(mean, grid))


def _variance(mean: float, grid: Grid) -> float | None:
    """What the stakes are made for.

    Scores with this mean cannot vary more than pass/fail ones do. Where they vary less, a bet meant
    for a larger drop is the right one: no estimate of the variance is needed. Weights change how
    much a score counts, by factors that nobody knows beforehand.
    """
    return mean * (1.0 - mean) if grid.shares == UNWEIGHTED else None


@lru_cache(maxsize=65_536)
def _lower_bound(counts: tuple[int, ...], alpha: float, grid: Grid) -> float:
    return lower_bound(counts, alpha, grid)

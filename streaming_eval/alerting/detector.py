"""The detector of one series: its null mean and bets, from the baseline and the plan."""

from __future__ import annotations

from functools import lru_cache

from streaming_eval.alerting.plan import SeriesPlan
from streaming_eval.stats.baseline import lower_bound
from streaming_eval.stats.e_detector import EDetector


def baseline_bound(baseline_counts: tuple[int, ...], plan: SeriesPlan) -> float:
    """What the baseline's mean is taken to be on [0, 1]: the constant, or its lower bound.

    Args:
        baseline_counts: of the pinned baseline; ignored when the plan's baseline is a constant.
        plan: how the series is watched.
    """
    if plan.baseline_constant is not None:
        return plan.baseline_constant
    return lower_bound(baseline_counts, plan.baseline_alpha)


@lru_cache(maxsize=8_192)
def detector(baseline_counts: tuple[int, ...], plan: SeriesPlan) -> EDetector:
    """Bets against "no worse than the baseline by more than the smallest effect".

    A pinned baseline enters with its lower bound, never with its mean: the chance of a false alarm
    is then at most `baseline_alpha` plus the detector's own (Podkopaev, Ramdas (2022), Tracking the
    risk of a deployed model and detecting harmful distribution shifts).

    Args:
        baseline_counts: of the pinned baseline; ignored when the plan's baseline is a constant.
        plan: how the series is watched.
    """
    null_mean = max(baseline_bound(baseline_counts, plan) - plan.smallest_effect, 0.0)
    # Scores with this mean cannot vary more than pass/fail ones do. Where they vary less, a bet
    # meant for a larger drop is the right one: no estimate of the variance is needed.
    return EDetector.for_drops(null_mean, variance=null_mean * (1.0 - null_mean))

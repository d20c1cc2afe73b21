"""Has a model become worse anywhere? The evidence of all its segments, taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from streaming_eval.snapshot import EstimateView
from streaming_eval.stats.e_detector import LOG_ZERO
from streaming_eval.stats.fleet_budget import roll_up


@dataclass(frozen=True, slots=True)
class ModelEvidence:
    """One model by one scorer, over all segments that have a series.

    Attributes:
        against: the other model of a comparison; empty for the model's own scores.
        log_evidence: log of the mean of the series' detectors.
        log_threshold: at which the model counts as worse somewhere.
        series: how many there are.
        worst: segment of the series that comes nearest to its own threshold.
    """

    model: str
    scorer: str
    against: str
    log_evidence: float
    log_threshold: float
    series: int
    worst: str

    @property
    def regressed(self) -> bool:
        return self.log_evidence >= self.log_threshold


def by_model(
    decisions: Iterable[EstimateView], alarmed_scorers: Collection[str]
) -> list[ModelEvidence]:
    """The evidence of every model and scorer that may raise an alarm, by their names.

    Each series is weighted by its share of the budget, which its threshold tells. The mean M of all
    series of the fleet by these weights is a detector itself, which is at least one budget when the
    mean over a model's series reaches the threshold given here. So "this model, anywhere" costs no
    budget of its own, comes never later than the alarm of one of its series, and earlier where
    several are near theirs. Series that do not exist yet have no evidence: they would lower mean
    and threshold alike.

    Args:
        decisions: one per series.
        alarmed_scorers: those whose series share the budget.
    """
    groups: dict[tuple[str, str, str], list[EstimateView]] = defaultdict(list)
    for view in decisions:
        if view.key.scorer in alarmed_scorers:
            groups[view.key.model, view.key.scorer, view.key.against].append(view)
    return [_joined(names, views) for names, views in sorted(groups.items())]


def _joined(names: tuple[str, str, str], views: list[EstimateView]) -> ModelEvidence:
    log_m = np.array([view.log_evidence for view in views])
    thresholds = np.array([view.log_threshold for view in views])
    least = thresholds.min()
    shares = np.exp(least - thresholds)
    return ModelEvidence(
        *names,
        log_evidence=max(float(roll_up(log_m, shares)), LOG_ZERO),
        log_threshold=float(least - np.log(shares.sum())),
        series=len(views),
        worst=views[int((log_m - thresholds).argmax())].key.segment,
    )

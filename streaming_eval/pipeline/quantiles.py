"""Quantiles of latencies, costs and lengths, of all changed windows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streaming_eval.pipeline.estimate import QuantileEstimate
from streaming_eval.pipeline.plan import MonitorPlan
from streaming_eval.pipeline.window_rows import WindowRow
from streaming_eval.stats.grid import UNWEIGHTED
from streaming_eval.stats.level_quantiles import LevelQuantiles
from streaming_eval.stats.levels import Scale

SHOWN = (0.5, 0.95, 0.99)
Quantiles = tuple[QuantileEstimate, ...]


def quantiles(
    rows: Sequence[WindowRow], plan: MonitorPlan, alpha: float, expected_n: int
) -> list[Quantiles]:
    """Those of each row, in order; none where there is no quantity, no score, or there are weights.

    Args:
        rows: windows on one grid.
        plan: which scorers measure a quantity, and on which scale.
        alpha: error of each limit of each quantile.
        expected_n: scores at which limits shall be tightest.
    """
    found: list[Quantiles] = [()] * len(rows)
    places = [place for place, row in enumerate(rows) if _has_quantiles(row, plan)]
    if not places:
        return found
    scales = [plan.scale(rows[place].key) for place in places]
    counts = [
        rows[place].scores.counts[:: 1 if scale.higher_is_better else -1]
        for place, scale in zip(places, scales, strict=True)
    ]
    limits = LevelQuantiles(SHOWN, alpha, expected_n).limits(np.array(counts, np.int64))
    shares = np.stack([limits.values, limits.lower, limits.upper], axis=1)
    for place, scale, of_row in zip(places, scales, shares, strict=True):
        found[place] = _on_scale(of_row, scale)
    return found


def _has_quantiles(row: WindowRow, plan: MonitorPlan) -> bool:
    own = row.key.scorer in plan.quantities and not row.key.against
    return own and row.plan.grid.shares == UNWEIGHTED and row.scores.n > 0


def _on_scale(shares: np.ndarray[tuple[int, ...], np.dtype[np.float64]], scale: Scale) -> Quantiles:
    """Shares of the way to the scale's high end [3, quantiles] as values of the scale."""
    known = np.minimum(shares, 1.0)
    values, lower, upper = scale.raw(known if scale.higher_is_better else 1.0 - known).tolist()
    said = np.isfinite(shares[2]).tolist()
    return tuple(
        QuantileEstimate(p, value, low, high if finite else None)
        for p, value, low, high, finite in zip(SHOWN, values, lower, upper, said, strict=True)
    )

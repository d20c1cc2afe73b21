"""Has a distribution over cells moved, and where: bets on every cell against the rest.

Whatever drifts is counted in cells first (`cells`): levels of a judge, deciles of a length, the
segment mix, clusters of embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from streaming_eval.stats.baseline import share_bounds
from streaming_eval.stats.e_detector import BOLDEST, LEAST, LOG_ZERO, log_evidence
from streaming_eval.stats.levels import Floats

_SHIFTS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32])  # of a cell's share
# Of a cell that holds little, a rise by a point is a doubling already. With these, exceedances of a
# .99 quantile that double are found a quarter sooner where the baseline has 5,000 scores; those
# that become three times as common or more are found as soon.
_RARE = 0.05
_RARE_RATIOS, _RARE_SHIFTS = np.array([1.15, 1.4, 2.0]), np.array([0.02, 0.06, 0.24])


@dataclass(frozen=True, slots=True)
class CellEvidence:
    """How strongly one cell speaks for a drift.

    Attributes:
        cell: its index.
        rose: whether its share has risen; else it has fallen.
        log_evidence: of that, as if nothing else were watched.
    """

    cell: int
    rose: bool
    log_evidence: float


@dataclass(frozen=True, slots=True)
class OneVsRest:
    """An e-detector of drift: for each cell, bets that its share is above or below its bounds.

    With l the stake, a bet that cell k's share rose multiplies by 1 + l (1{x = k} - upper_k) at
    each score, one that it fell by 1 + l (lower_k - 1{x = k}): nonnegative supermartingales while
    all shares, given the past, keep their bounds. Their Shiryaev-Roberts sums, averaged over 12
    bets per cell, are an e-detector, so `e_detector.step` and `log_evidence` do the rest and the
    same promise holds: a false alarm within T panes has probability at most T / A, plus the
    probability that a bound is wrong. Counts add; nothing depends on an order.

    Sources: Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential
    change detection; bounds for an estimated baseline as in Podkopaev, Ramdas (2022), Tracking the
    risk of a deployed model and detecting harmful distribution shifts.

    Supported: cells with or without an order; shifts too small to matter, by `tolerance`.
    Not supported: shifts among values of one cell.

    Attributes:
        lower: smallest share of each cell that is no drift [K].
        upper: largest one [K].
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (len(self.lower) == len(self.upper) >= 2):
            raise ValueError("a drift needs bounds for two cells or more")
        if not all(0.0 <= a <= b <= 1.0 for a, b in zip(self.lower, self.upper, strict=True)):
            raise ValueError("bounds must be 0 <= lower <= upper <= 1")

    @classmethod
    def of_baseline(
        cls, counts: ArrayLike, alpha: float = 0.05, tolerance: float = 0.0
    ) -> OneVsRest:
        """Bounds that hold for all cells of the baseline at once, widened by a tolerance.

        Args:
            counts: of the baseline per cell [K].
            alpha: probability that any of the 2 K bounds is wrong.
            tolerance: change of a cell's share that is not worth an alarm, on [0, 1).
        """
        n_at = np.asarray(counts, np.int64)
        lower, upper = share_bounds(n_at, alpha / (2 * n_at.size))
        lower, upper = np.maximum(lower - tolerance, 0.0), np.minimum(upper + tolerance, 1.0)
        return cls(tuple(lower.tolist()), tuple(upper.tolist()))

    @property
    def bets(self) -> int:
        """How many numbers log M has: 12 per cell."""
        return len(self.lower) * 2 * len(_SHIFTS)

    @property
    def nothing(self) -> Floats:
        """Log M before the first pane."""
        return np.full(self.bets, LOG_ZERO)

    def increments(self, counts: ArrayLike) -> Floats:
        """Log factor of each bet [..., 12 K] over all scores of counts [..., K]."""
        n_in = np.asarray(counts, np.float64)
        if n_in.shape[-1] != len(self.lower):
            raise ValueError(f"{len(self.lower)} cells cannot read {n_in.shape[-1]} counts")
        n_out = n_in.sum(axis=-1, keepdims=True) - n_in
        inside, outside = _log_factors(self)
        log_growth: Floats = n_in[..., None, None] * inside + n_out[..., None, None] * outside
        return log_growth.reshape(*n_in.shape[:-1], self.bets)

    def explain(self, log_m: Floats, most: int | None = None) -> tuple[CellEvidence, ...]:
        """Which cells moved, and which way: the stronger direction of each, strongest first.

        Args:
            log_m: log M of every bet [12 K].
            most: cells at most; all where None.
        """
        by_way = log_evidence(log_m.reshape(len(self.lower), 2, len(_SHIFTS)))
        stronger = by_way.max(axis=1)
        return tuple(
            CellEvidence(cell, bool(by_way[cell, 0] >= by_way[cell, 1]), float(stronger[cell]))
            for cell in np.argsort(-stronger, kind="stable")[:most].tolist()
        )


@lru_cache(maxsize=1_024)
def _log_factors(bounds: OneVsRest) -> tuple[Floats, Floats]:
    """Log factors at a score inside the cell and at one outside, [K, (rose, fell), 6]."""
    upper, lower = np.asarray(bounds.upper)[:, None], np.asarray(bounds.lower)[:, None]
    rise = np.where(upper < _RARE, _rare_stakes(upper), _stakes(upper, room=upper))
    fall = _stakes(lower, room=1.0 - lower)
    inside = np.stack([np.log1p(rise * (1.0 - upper)), np.log1p(fall * (lower - 1.0))], axis=1)
    outside = np.stack([np.log1p(-rise * upper), np.log1p(fall * lower)], axis=1)
    return inside, outside


def _rare_stakes(share: Floats) -> Floats:
    """Stakes that grow fastest where a share has risen to some times itself, or by some points."""
    ratios = (_RARE_RATIOS - 1.0) / np.maximum(1.0 - share, LEAST)
    shifts = _RARE_SHIFTS / np.maximum(share * (1.0 - share), LEAST)
    fastest = np.concatenate([ratios, shifts], axis=-1)
    stakes: Floats = np.minimum(fastest, BOLDEST / np.maximum(share, LEAST))
    return stakes


def _stakes(share: Floats, room: Floats) -> Floats:
    """Stakes that grow fastest at shifts of .01 to .32, where a score may cost `room` of them."""
    fastest = _SHIFTS / np.maximum(share * (1.0 - share), LEAST)
    stakes: Floats = np.minimum(fastest, BOLDEST / np.maximum(room, LEAST))
    return stakes

"""A change alarm that needs no calibration: a Shiryaev-Roberts e-detector over 12 constant bets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streaming_eval.stats.levels import Floats, level_values

LOG_LIMIT = 700.0  # exp of it is still a double
LOG_ZERO = -LOG_LIMIT  # log evidence of nothing: a finite stand-in for minus infinity
_DROPS = np.array([0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24, 0.32, 0.48])
BETS = len(_DROPS)
_BOLDEST = 0.95  # share of the wealth a bet may lose on one score
_LEAST = 1e-6  # keeps a bet finite where scores do not vary or have no room


@dataclass(frozen=True, slots=True)
class EDetector:
    """Bets that the mean has fallen below `null_mean`, restarted in every pane.

    Bet j multiplies its wealth by 1 + bet_j (null_mean - v) at each score v. While every score's
    mean given the past is at least `null_mean`, that is a nonnegative supermartingale. M_j adds up
    the wealth of the copies begun in each pane, so the mean of the M_j is expected to grow by at
    most 1 a pane: an alarm at M >= A comes on average no sooner than after A panes, and within T
    panes with probability at most T / A.

    Source: Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential
    change detection.

    Attributes:
        null_mean: smallest mean that is not a drop, on [0, 1].
        bets: stakes per unit of score, each below 1 / (1 - null_mean), so that no factor is 0.
    """

    null_mean: float
    bets: tuple[float, ...]

    @classmethod
    def for_drops(cls, null_mean: float, variance: float) -> EDetector:
        """The detector whose bets grow fastest at drops of .01 to .48, given the scores' variance.

        >>> detector = EDetector.for_drops(0.9, variance=0.09)
        >>> detector.bets[0], detector.bets[-1]
        (0.11111111111111112, 5.333333333333333)
        """
        if not 0.0 <= null_mean <= 1.0:
            raise ValueError(f"null_mean must lie in [0, 1], got {null_mean}")
        stakes = _DROPS / max(variance, _LEAST)
        boldest = _BOLDEST / max(1.0 - null_mean, _LEAST)
        return cls(null_mean, tuple(np.minimum(stakes, boldest).tolist()))

    def increments(self, counts: ArrayLike) -> Floats:
        """Log factor of each bet [..., 12] over all scores of counts [..., K]."""
        n_at = np.asarray(counts, np.float64)
        # A sum in a fixed order, not a matrix product: equal to the last bit for one pane and many.
        log_growth = np.zeros((*n_at.shape[:-1], BETS))
        for level, row in enumerate(_log_factors(self, n_at.shape[-1])):
            log_growth += n_at[..., level, None] * row
        return log_growth


@lru_cache(maxsize=8_192)
def _log_factors(detector: EDetector, levels: int) -> Floats:
    """log(1 + bet (null_mean - v)) for each level v (rows) and bet (columns)."""
    gaps = detector.null_mean - level_values(levels)
    log_factors: Floats = np.log1p(np.multiply.outer(gaps, np.asarray(detector.bets)))
    return log_factors


def step(log_m: Floats, increments: Floats) -> Floats:
    """One pane's tick of log M: M <- (M + 1) exp(increment), kept within +-700."""
    grown: Floats = np.logaddexp(log_m, 0.0) + increments
    return np.minimum(np.maximum(grown, LOG_ZERO), LOG_LIMIT)


def log_evidence(log_m: Floats) -> Floats:
    """Log of the mean of M over the bets (the last axis); -700 stands for none.

    >>> float(log_evidence(np.full(BETS, LOG_ZERO)))
    -700.0
    """
    total: Floats = np.logaddexp.reduce(log_m, axis=-1)
    return total - log(log_m.shape[-1])


@dataclass(frozen=True, slots=True)
class Track:
    """Where the bets stand after a pane.

    Besides log M it keeps, per bet, the stretch of panes up to now whose log factors have the
    largest sum (Page 1954, Continuous inspection schemes): its start estimates when the drop began.

    Attributes:
        log_m: log M per bet.
        page_sums: sum of log factors over the stretch; 0 when no stretch is positive.
        began_ms: start of the stretch's first pane.
        n_since: scores in the stretch.
    """

    log_m: Floats
    page_sums: Floats
    began_ms: NDArray[np.int64]
    n_since: NDArray[np.int64]

    def tick(self, pane_ms: int, n: int, increments: Floats) -> Track:
        """The track after the pane that starts at `pane_ms` and holds `n` scores."""
        running = self.page_sums > 0.0
        sums = np.maximum(self.page_sums + increments, 0.0)
        return Track(
            log_m=step(self.log_m, increments),
            page_sums=sums,
            began_ms=np.where(running, self.began_ms, pane_ms),
            n_since=np.where(running, self.n_since, 0) + n,
        )

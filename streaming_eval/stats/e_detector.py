"""A change alarm that needs no calibration: a Shiryaev-Roberts e-detector over constant bets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Floats

LOG_LIMIT = 700.0  # exp of it is still a double
LOG_ZERO = -LOG_LIMIT  # log evidence of nothing: a finite stand-in for minus infinity
# Closer together where small: evidence of a small drop grows so slowly that wealth spread thin
# would cost hundreds of scores. A large one is found a few scores later for it.
_SHIFTS = np.array([0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.055, 0.08, 0.12, 0.2, 0.32, 0.48])
BETS = len(_SHIFTS)
BOLDEST = 0.95  # share of the wealth a bet may lose on one score
LEAST = 1e-6  # keeps a bet finite where scores do not vary or have no room
# Of the wealth, where no variance is known: no less than what suits a small drop of pass/fail
# scores, which vary most.
_SHARES = np.array([0.0125, 0.016, 0.02, 0.026, 0.035, 0.048, 0.067, 0.1, 0.15, 0.25, 0.46, 0.95])


@dataclass(frozen=True, slots=True)
class EDetector:
    """Bets that the mean has fallen below `null_mean`, or risen above it, restarted in every pane.

    Bet j multiplies its wealth by 1 + bet_j u (null_mean - v) at each score v of weight share u, or
    by 1 + bet_j u (v - null_mean) where it is on a rise. While the weighted mean of each score
    given the past is on the null's side, that is a nonnegative supermartingale. M_j adds up the
    wealth of the copies begun in each pane, so the mean of the M_j is expected to grow by at most 1
    a pane: an alarm at M >= A comes on average no sooner than after A panes, and within T panes
    with probability at most T / A.

    All of it holds as well when every pane has a detector of its own (a baseline per hour of the
    day): bet j is then a plan of stakes, and null mean and stake may use whatever is known before
    the pane. What must not happen is that a pane's scores choose the detector they are read by.

    Source: Shin, Ramdas, Rinaldo (2024), E-detectors: a nonparametric framework for sequential
    change detection.

    Attributes:
        null_mean: smallest mean that is not a drop, or largest that is not a rise, on [0, 1].
        bets: stakes per unit of score, so small that no factor is 0.
        rises: whether the bets are on a rise.
    """

    null_mean: float
    bets: tuple[float, ...]
    rises: bool = False

    @classmethod
    def for_drops(cls, null_mean: float, variance: float | None = None) -> EDetector:
        """The detector whose bets grow fastest at drops of .0125 to .48, given the variance.

        Without a variance the stakes are spread over all that may be staked: the choice for
        weighted scores and for those whose variance is far from anything known.

        >>> detector = EDetector.for_drops(0.9, variance=0.09)
        >>> detector.bets[0], detector.bets[-1]
        (0.1388888888888889, 5.333333333333333)
        """
        return cls(null_mean, _stakes(null_mean, 1.0 - null_mean, variance))

    @classmethod
    def for_rises(cls, null_mean: float, variance: float | None = None) -> EDetector:
        """The mirror image: reading reversed counts against 1 - null_mean would be the same.

        >>> detector = EDetector.for_rises(0.9, variance=0.09)
        >>> bool((detector.increments([0, 100]) > 0).all())
        True
        """
        return cls(null_mean, _stakes(null_mean, null_mean, variance), rises=True)

    def increments(self, counts: ArrayLike, grid: Grid | None = None) -> Floats:
        """Log factor of each bet [..., bets] over all scores of counts [..., K].

        Args:
            counts: per level, or per cell of `grid`.
            grid: what the cells stand for; None for levels of equal weight.
        """
        n_at = np.asarray(counts, np.float64)
        rows = _log_factors(self, grid or Grid(n_at.shape[-1]))
        if len(rows) != n_at.shape[-1]:
            raise ValueError(f"a grid of {len(rows)} cells cannot read {n_at.shape[-1]} counts")
        # A sum in a fixed order, not a matrix product: equal to the last bit for one pane and many.
        log_growth = np.zeros((*n_at.shape[:-1], len(self.bets)))
        for cell in np.flatnonzero(n_at.reshape(-1, len(rows)).any(axis=0)):
            log_growth += n_at[..., cell, None] * rows[cell]
        return log_growth


def _stakes(null_mean: float, room: float, variance: float | None) -> tuple[float, ...]:
    """Stakes per unit of score, where one score may cost at most `room` units."""
    if not 0.0 <= null_mean <= 1.0:
        raise ValueError(f"null_mean must lie in [0, 1], got {null_mean}")
    room = max(room, LEAST)
    if variance is None:
        return tuple((_SHARES / room).tolist())
    return tuple(np.minimum(_SHIFTS / max(variance, LEAST), BOLDEST / room).tolist())


@lru_cache(maxsize=8_192)
def _log_factors(detector: EDetector, grid: Grid) -> Floats:
    """log(1 + bet u (null_mean - v)) for each cell (rows) and bet (columns)."""
    gaps = detector.null_mean - grid.values
    gains = (-gaps if detector.rises else gaps) * grid.weights
    log_factors: Floats = np.log1p(np.multiply.outer(gains, np.asarray(detector.bets)))
    return log_factors


def step(log_m: Floats, increments: Floats) -> Floats:
    """One pane's tick of log M: M <- (M + 1) exp(increment), kept within +-700.

    Of an open pane, whose increments are those so far, it gives the provisional log M: an alarm on
    it keeps the promise, since each copy's wealth is a supermartingale score by score.
    """
    grown: Floats = np.logaddexp(log_m, 0.0) + increments
    return np.minimum(np.maximum(grown, LOG_ZERO), LOG_LIMIT)


def log_evidence(log_m: Floats) -> Floats:
    """Log of the mean of M over the bets (the last axis); -700 stands for none.

    >>> float(log_evidence(np.full(BETS, LOG_ZERO)))
    -700.0
    """
    total: Floats = np.logaddexp.reduce(log_m, axis=-1)
    return total - log(log_m.shape[-1])


def averaged(*log_evidences: ArrayLike) -> Floats:
    """Log of the plain average of several detectors' evidence on the same panes: one detector's.

    So "worse or better" is the average of the detectors for drops and for rises, whatever their
    dependence. Each must keep its promise given all that the others see, as bets on the scores do;
    where that is not so (ranks, say), use `either`.

    >>> round(float(np.exp(averaged(np.log(1.0), np.log(3.0)))), 9)
    2.0
    """
    total: Floats = reduce(np.logaddexp, map(np.asarray, log_evidences))
    return total - log(len(log_evidences))


def either(*log_evidences: ArrayLike) -> Floats:
    """Log evidence that reaches log A when one of k detectors reaches k A.

    Within T panes that happens with probability at most T / A, whatever the detectors know of each
    other: each one keeps its own promise, and the chances add.

    >>> round(float(np.exp(either(np.log(1.0), np.log(3.0)))), 9)
    1.5
    """
    largest: Floats = reduce(np.maximum, map(np.asarray, log_evidences))
    return largest - log(len(log_evidences))


@dataclass(frozen=True, slots=True)
class Track:
    """Where the bets stand after a pane.

    Besides log M it keeps, per bet, the stretch of panes up to now whose log factors have the
    largest sum (Page 1954, Continuous inspection schemes): its start estimates when the change
    began.

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

"""Whether a mean ever leaves its interval, told from evidence against it: no limit is solved."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from benchmarks.stats.streams import ALPHA
from streaming_eval.stats.beta_binomial import BetaBinomial
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats
from streaming_eval.stats.mixture_bet import MixtureBet

Flags = NDArray[np.bool_]
BET = MixtureBet(ALPHA, expected_n=1_000)
RATE = BetaBinomial(ALPHA, expected_n=1_000)
_FEWEST = 30  # scores before which Wald, Wilson and asymptotic intervals are not looked at


def passes_left(most: int, p: float) -> tuple[Counts, Counts]:
    """Per n up to `most`, the fewest and the most passes at which our interval still holds p.

    The evidence against p is convex in the passes, so bisection finds both.
    """
    n = np.arange(1, most + 1)
    ends = []
    for outside in (np.full(most, -1), n + 1):
        out, inside = outside, np.clip(np.rint(n * p).astype(np.int64), 0, n)
        for _ in range(most.bit_length() + 1):
            middle = (out + inside) // 2
            refuted = RATE.log_evidence(middle, n - middle, p) >= log(1 / ALPHA)
            moving = np.abs(out - inside) > 1
            out = np.where(moving & refuted, middle, out)
            inside = np.where(moving & ~refuted, middle, inside)
        ends.append(inside)
    return ends[0], ends[1]


def bet_missed(cells: Counts, grid: Grid, mean: float) -> Flags:
    """Whether mixture bets ever refute the true mean of streams of cells [streams, length]."""
    one_each = BET.sides(np.eye(grid.cells), grid)
    nothing = BET.sides(np.zeros((1, grid.cells)), grid)
    ever = np.zeros(len(cells), bool)
    for side, none, m in zip(one_each, nothing, (mean, 1.0 - mean), strict=True):
        factors = side.counts @ np.log(side.stakes / m + side.rests)  # [cells, bets]
        ever |= _reached(cells, (factors + side.losses - none.losses).T.copy(), none.losses[0])
    return ever


def _reached(cells: Counts, log_factors: Floats, log_prior: Floats) -> Flags:
    """Whether the mixture's log wealth ever reaches log(2 / alpha)."""
    goal, bets = log(2 / ALPHA), len(log_prior)
    near = goal - log(bets)  # below it for every bet, the sum cannot reach the goal
    log_wealth = np.repeat(log_prior[:, None], len(cells), axis=1)
    ever, step = np.zeros(len(cells), bool), np.empty_like(log_wealth)
    for column in cells.T:
        np.take(log_factors, column, axis=1, out=step)
        log_wealth += step
        if log_wealth.max() >= near:
            close = np.flatnonzero((log_wealth.max(axis=0) >= near) & ~ever)
            ever[close] = np.exp(log_wealth[:, close] - goal).sum(axis=0) >= 1.0
    return ever


def wald_missed(values: Floats, truth: Floats | float) -> Flags:
    """The interval for one look, looked at after every score."""
    n, mean, deviation = _running(values)
    return _late(np.abs(mean - truth) > 1.96 * deviation / np.sqrt(n))


def wilson_missed(values: Floats, p: float) -> Flags:
    """Wilson's interval for one look at a pass rate, looked at after every score."""
    n, mean, _ = _running(values)
    return _late(np.abs(mean - p) > 1.96 * np.sqrt(p * (1 - p) / n))


def asymptotic_missed(values: Floats, truth: Floats | float) -> Flags:
    """The asymptotic sequence, looked at from 30 scores on as is usual, not from 300 on."""
    n, mean, deviation = _running(values)
    odds = -2 * log(ALPHA)
    x = n * (odds + log(1 + odds)) / 1_000
    radius = np.sqrt(2 * (x + 1) / (n * x) * np.log(np.sqrt(x + 1) / ALPHA))
    return _late(np.abs(mean - truth) > deviation * radius)


def _running(values: Floats) -> tuple[Floats, Floats, Floats]:
    n = np.arange(1.0, values.shape[1] + 1)
    mean = values.cumsum(axis=1) / n
    square = (values**2).cumsum(axis=1) / n
    return n, mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def _late(missed: Flags) -> Flags:
    return at_any_time(missed[:, _FEWEST - 1 :])


def at_any_time(missed: Flags) -> Flags:
    """Per stream [streams, length], whether it was missed at any n."""
    return np.asarray(missed.any(axis=1), np.bool_)

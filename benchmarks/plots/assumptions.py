"""What happens to intervals where scores are not what they are taken for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streaming_eval.stats.bounded import bounded_intervals
from streaming_eval.stats.grid import Grid
from streaming_eval.stats.levels import Counts, Floats, level_values
from streaming_eval.stats.mixture_bet import MixtureBet

_ALPHA = 0.05
_EVERY = 25
_FIRST_NAIVE = 30  # nobody believes it for fewer
_LENGTH = 2_000
_TURN = 5  # scores of one conversation
_ICC = 0.3  # how alike they are
_WEIGHT = 4.0  # an easy question stands for so many, a hard one for itself


@dataclass(frozen=True, slots=True)
class Case:
    """Share of the streams in which the mean was outside at one look or more."""

    name: str
    naive: float
    ours: float


def measure(*, quick: bool) -> list[Case]:
    """80 looks in 2,000 scores."""
    streams = 20 if quick else 400
    rng = np.random.default_rng(3)
    at = np.arange(_LENGTH)
    cycle = 0.8 + 0.1 * np.sin(2 * np.pi * at / 500)
    step = np.where(at < _LENGTH // 2, 0.95, 0.75)
    single, together = _conversations(streams, rng)
    unweighted, weighted = _hard_questions(streams, rng)
    return [
        _passes("as assumed", np.full(_LENGTH, 0.9), streams, rng),
        _passes("mean with a daily cycle\nof +- 10 points", cycle, streams, rng),
        _passes("mean that falls from .95 to .75\nhalf-way", step, streams, rng),
        _case("conversations of 5,\neach score counted", single, Grid(2), 0.8),
        _case("conversations of 5,\none value each", together, Grid(_TURN + 1), 0.8),
        _case("hard questions sampled 4 times\nas often, no weights", unweighted, Grid(2), 0.84),
        _case(
            "hard questions sampled 4 times\nas often, weights",
            weighted,
            Grid(2, (1 / _WEIGHT, 1.0)),
            0.84,
        ),
    ]


def _passes(name: str, means: Floats, streams: int, rng: np.random.Generator) -> Case:
    """Independent passes; what is to be covered is the mean of the means so far."""
    cells = (rng.random((streams, _LENGTH)) < means).astype(np.int64)
    return _case(name, cells, Grid(2), means.cumsum() / np.arange(1, _LENGTH + 1))


def _conversations(streams: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """The cells of single passes, and of how many of each conversation's five passed."""
    spread = 1 / _ICC - 1
    rates = rng.beta(0.8 * spread, 0.2 * spread, (streams, _LENGTH // _TURN, 1))
    passed = (rng.random((streams, _LENGTH // _TURN, _TURN)) < rates).astype(np.int64)
    return passed.reshape(streams, -1), passed.sum(axis=2)


def _hard_questions(streams: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Hard ones (pass rate .6) are a fifth of the traffic and half of the samples.

    The easy ones pass at .9, so the traffic's pass rate is .2 * .6 + .8 * .9 = .84.
    """
    easy = (rng.random((streams, _LENGTH)) < 0.5).astype(np.int64)
    passed = (rng.random((streams, _LENGTH)) < np.where(easy, 0.9, 0.6)).astype(np.int64)
    return passed, easy * 2 + passed


def _case(name: str, cells: Counts, grid: Grid, mean: float | Floats) -> Case:
    """Intervals of both kinds at every look at the cells [streams, n]."""
    n = np.arange(_EVERY, cells.shape[1] + 1, _EVERY)
    true = np.broadcast_to(np.asarray(mean), cells.shape[1])[n - 1]
    one_hot = np.eye(grid.cells, dtype=np.int64)[cells]
    counts = one_hot.cumsum(axis=1)[:, n - 1]
    low, high = _naive(counts, grid)
    naive = ((low > true) | (high < true)) & (n >= _FIRST_NAIVE)
    flat = counts.reshape(-1, grid.cells)
    met, where = np.unique(flat, axis=0, return_inverse=True)
    lower, upper = bounded_intervals(met, MixtureBet(_ALPHA, expected_n=1_000), grid)
    ours = (lower[where] > np.tile(true, len(cells))) | (upper[where] < np.tile(true, len(cells)))
    return Case(
        name,
        float(naive.any(axis=1).mean()),
        float(ours.reshape(len(cells), -1).any(axis=1).mean()),
    )


def _naive(counts: Counts, grid: Grid) -> tuple[Floats, Floats]:
    """The usual interval for one look at a (weighted) mean."""
    mean = grid.mean(counts)
    gaps = grid.weights * (np.tile(level_values(grid.levels), len(grid.shares)) - mean[..., None])
    radius = 1.96 * np.sqrt((counts * gaps**2).sum(axis=-1)) / (counts * grid.weights).sum(axis=-1)
    return mean - radius, mean + radius
